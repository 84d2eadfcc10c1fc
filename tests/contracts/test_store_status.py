from datetime import timedelta

import pytest

from orchestrator.store import StageCounts, Store, failures, record_failure, record_result, start_attempt, sweep_status
from tests.builders import attack_job, craft_job, evaluate_job, fine_tune_job, pretrain_job, result_of, small_plan
from tests.stored import begin_driving, record_sweep, silence
from workers.errors import UserError
from workers.spec.job import Job


def fail(store: Store, job: Job, *, sweep: str = "small", error: str = "boom") -> None:
    attempt = start_attempt(store, sweep, job.key)
    record_failure(store, job.key, attempt_id=attempt, error=error, traceback="trace", final=True)


@pytest.fixture
def plan(store: Store) -> list[Job]:
    jobs = small_plan()
    record_sweep(store, name="small", space_text="", jobs=jobs)
    return jobs


def test_an_unlaunched_sweep_waits(store: Store, plan: list[Job]) -> None:
    (status,) = sweep_status(store, "small")
    assert (status.name, status.launched_at, status.heartbeat_at, status.driver_alive) == ("small", None, None, False)
    assert status.stages == {
        "pretrain": StageCounts(waiting=1),
        "fine_tune": StageCounts(waiting=1),
        "evaluate": StageCounts(waiting=2),
        "craft": StageCounts(waiting=1),
        "attack": StageCounts(waiting=4),
    }
    assert list(status.stages) == ["pretrain", "fine_tune", "evaluate", "craft", "attack"]
    assert status.stages["attack"].total == 4


def test_done_running_failed_and_blocked_jobs_are_told_apart(store: Store, plan: list[Job]) -> None:
    full, model, crafted, evaluation, *_ = plan
    begin_driving(store, "small", "host", 42)
    for job in (full, model):
        record_result(store, job, result_of(job), attempt_id=start_attempt(store, "small", job.key))
    start_attempt(store, "small", evaluation.key)
    fail(store, crafted)
    (status,) = sweep_status(store, "small")
    assert status.driver_alive
    assert (status.driver_host, status.driver_pid) == ("host", 42)
    assert status.launched_at is not None
    assert status.launched_at.utcoffset() == timedelta(0)
    assert status.stages == {
        "pretrain": StageCounts(done=1),
        "fine_tune": StageCounts(done=1),
        "evaluate": StageCounts(running=1, waiting=1),
        "craft": StageCounts(failed=1),
        "attack": StageCounts(waiting=2, blocked=2),
    }


def test_what_a_failed_job_blocks_is_blocked_over_generations(store: Store) -> None:
    full = pretrain_job()
    model = fine_tune_job(full)
    crafted = craft_job(model)
    jobs = [full, model, crafted, attack_job(model, crafted=crafted), evaluate_job(full)]
    record_sweep(store, name="small", space_text="", jobs=jobs)
    fail(store, full)
    (status,) = sweep_status(store, "small")
    assert [counts.blocked for counts in status.stages.values()] == [0, 1, 1, 1, 1]
    assert status.stages["pretrain"] == StageCounts(failed=1)


def test_a_driver_without_recent_heartbeat_is_dead_and_its_attempts_do_not_run(store: Store, plan: list[Job]) -> None:
    begin_driving(store, "small", "host", 1)
    start_attempt(store, "small", plan[0].key)
    silence(store, "small", seconds=20)
    (alive,) = sweep_status(store, "small")
    silence(store, "small", seconds=20)
    (dead,) = sweep_status(store, "small")
    silence(store, "small", seconds=-3600)
    (ahead,) = sweep_status(store, "small")
    assert (alive.driver_alive, alive.stages["pretrain"]) == (True, StageCounts(running=1))
    assert (dead.driver_alive, dead.stages["pretrain"]) == (False, StageCounts(waiting=1))
    assert 40 <= (dead.silent_seconds or 0) < 70
    assert not ahead.driver_alive, "the clock was set back: a heartbeat from the future keeps no driver alive"


def test_a_shared_job_runs_in_every_sweep_that_holds_it(store: Store, plan: list[Job]) -> None:
    record_sweep(store, name="other", space_text="", jobs=plan[:1])
    begin_driving(store, "other", "host", 1)
    start_attempt(store, "other", plan[0].key)
    other, small = sweep_status(store, None)
    assert (other.name, other.driver_alive, small.name, small.driver_alive) == ("other", True, "small", False)
    assert other.stages["pretrain"] == small.stages["pretrain"] == StageCounts(running=1)


def test_only_jobs_of_the_present_space_count(store: Store, plan: list[Job]) -> None:
    fail(store, plan[2])
    record_sweep(store, name="small", space_text="", jobs=plan[:2])
    (status,) = sweep_status(store, "small")
    assert set(status.stages) == {"pretrain", "fine_tune"}
    assert failures(store, "small") == []


def test_an_empty_sweep_has_a_status(store: Store) -> None:
    record_sweep(store, name="empty", space_text="", jobs=[])
    assert [status.stages for status in sweep_status(store, None)] == [{}]


def test_failures_are_told_by_stage_with_their_last_error(store: Store, plan: list[Job]) -> None:
    evaluation, attack = plan[3], plan[5]
    fail(store, attack)
    fail(store, evaluation, error="first")
    fail(store, evaluation, error="last")
    start_attempt(store, "small", evaluation.key)
    found = failures(store, "small")
    assert [failure.key for failure in found] == [evaluation.key, attack.key]
    assert [(failure.description, failure.attempts, failure.error) for failure in found] == [
        ("clean accuracy, repeat 0, on theta 0.8", 3, "last"),
        ("fgsm 8/255 omniscient, repeat 0, on theta 0.8", 1, "boom"),
    ]
    assert failures(store, None) == found


def test_an_unknown_sweep_names_the_known_ones(store: Store, plan: list[Job]) -> None:
    with pytest.raises(UserError, match=r"^sweep 'x': one of small$"):
        sweep_status(store, "x")
    with pytest.raises(UserError, match=r"^sweep 'x': one of small$"):
        failures(store, "x")
