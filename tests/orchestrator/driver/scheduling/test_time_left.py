from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.driver.scheduling.time_left import busy_workers, per_minute, time_of_status
from orchestrator.store import StageCounts, SweepStatus
from orchestrator.store.reading.dashboard_queries import FinishedJob, RunningJob
from workers.spec.fields import Stage

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def status(**stages: StageCounts) -> SweepStatus:
    return SweepStatus(
        name="s", launched_at=ago(600), heartbeat_at=NOW, driver_alive=True, driver_host="h", driver_pid=1, stages=dict(stages)
    )


def running(stage: Stage, *, since: float) -> RunningJob:
    return RunningJob(key=f"{since}", stage=stage, description="", attempt=1, started_at=ago(since))


def finished(*, begun: float, ended: float) -> FinishedJob:
    return FinishedJob(key="k", stage="attack", started_at=ago(begun), finished_at=ago(ended))


def test_the_time_left_is_the_work_left_over_the_busy_workers() -> None:
    found = status(attack=StageCounts(done=3, running=2, waiting=8), craft=StageCounts(done=1))
    left = time_of_status(found, [running("attack", since=4), running("attack", since=30)], {"attack": 10.0}, now=NOW)
    assert left.seconds == pytest.approx((8 * 10 + 6 + 0) / 2)


def test_a_stage_without_a_finished_job_borrows_from_one_alike_or_is_named() -> None:
    alike = status(pretrain=StageCounts(done=1), fine_tune=StageCounts(running=1, waiting=1))
    assert time_of_status(alike, [running("fine_tune", since=0)], {"pretrain": 5.0}, now=NOW).seconds == 10
    strange = time_of_status(status(surface=StageCounts(running=1)), [running("surface", since=0)], {"attack": 5.0}, now=NOW)
    assert (strange.seconds, strange.unknown) == (None, ("surface",))


def test_blocked_jobs_and_a_sweep_that_nobody_runs_have_no_end() -> None:
    assert time_of_status(status(attack=StageCounts(waiting=1)), [], {"attack": 1.0}, now=NOW).seconds is None
    blocked = status(attack=StageCounts(running=1, blocked=100))
    assert time_of_status(blocked, [running("attack", since=0)], {"attack": 1.0}, now=NOW).seconds == 1


def test_pace_and_busy_workers_count_what_lies_in_the_window() -> None:
    jobs = [finished(begun=90, ended=70), finished(begun=70, ended=40), finished(begun=40, ended=10), finished(begun=40, ended=20)]
    assert per_minute(jobs, since=ago(60), until=NOW) == 3
    assert busy_workers(jobs, since=ago(60), until=NOW) == pytest.approx((20 + 30 + 20) / 60)
    assert per_minute(jobs, since=NOW, until=NOW) == 0
