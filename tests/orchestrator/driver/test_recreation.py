"""Jobs whose parents' files are damaged, and jobs that another attempt has: neither is a failure of theirs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.driver.recorder import Recorder
from orchestrator.driver.scheduling.job_queue import JobQueue
from orchestrator.driver.sweep_run import SweepRun
from orchestrator.store import failures, finished_keys, open_store
from orchestrator.store.reading.job_details import job_details
from tests.builders import attack_job, fine_tune_job, pretrain_job, result_of
from tests.stored import record_sweep
from workers.artifacts.artifacts import Artifacts
from workers.spec.job import Job

FULL = pretrain_job()
MODEL = fine_tune_job(FULL, theta=0.8)
ATTACKS = [attack_job(MODEL, repeat=repeat) for repeat in range(2)]
JOBS = (FULL, MODEL, *ATTACKS)
ERROR = {"error": "ArtifactError: its model is corrupt", "traceback": ""}


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path / "artifacts")


@pytest.fixture
def sweep(tmp_path: Path, artifacts: Artifacts) -> Iterator[SweepRun]:
    """A launch in which the models are done and recorded already, and only the attacks are to run."""
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as store:
        record_sweep(store, name="small", space_text="", jobs=JOBS)
        recorder = Recorder(store, sweep="small", artifacts=artifacts)
        for job in (FULL, MODEL):
            leave(artifacts, job)
            recorder.finished(job)
        yield SweepRun(JobQueue(ATTACKS, max_failures=0), recorder, tuple(ATTACKS), known=JOBS)


def leave(artifacts: Artifacts, job: Job) -> None:
    folder = artifacts.folder(job.key, attempt="test")
    folder.begin(job)
    folder.commit(result_of(job))


def damage(artifacts: Artifacts, job: Job) -> None:
    Path(artifacts.where(job.key, "result.json")).write_text("{")


def begin(sweep: SweepRun) -> Job:
    job = sweep.take()
    assert job is not None
    sweep.begin(job)
    return job


def succeed(sweep: SweepRun, artifacts: Artifacts) -> Job:
    job = begin(sweep)
    leave(artifacts, job)
    sweep.succeed(job)
    return job


def outcomes(tmp_path: Path, job: Job) -> list[str]:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=False) as store:
        return [attempt.outcome for attempt in job_details(store, job.key).attempts]


def test_a_job_waits_until_the_parent_whose_files_are_damaged_is_computed_again(
    tmp_path: Path, sweep: SweepRun, artifacts: Artifacts
) -> None:
    damage(artifacts, MODEL)
    first, second = begin(sweep), begin(sweep)
    sweep.fail(first, **ERROR, damaged=MODEL.key)
    model = begin(sweep)
    assert model == MODEL
    sweep.fail(second, **ERROR, damaged=MODEL.key)  # while it is being computed
    assert sweep.take() is None
    assert not sweep.queue.drained
    leave(artifacts, MODEL)
    sweep.succeed(model)
    assert {succeed(sweep, artifacts).key, succeed(sweep, artifacts).key} == {job.key for job in ATTACKS}
    assert sweep.queue.drained
    assert sweep.queue.total("failed") == 0
    assert outcomes(tmp_path, first) == ["failed", "done"]
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=False) as store:
        assert finished_keys(store) == {job.key for job in JOBS}


def test_children_that_were_done_before_are_not_computed_again(sweep: SweepRun, artifacts: Artifacts) -> None:
    done = succeed(sweep, artifacts)
    damage(artifacts, MODEL)
    waiting = begin(sweep)
    sweep.fail(waiting, **ERROR, damaged=MODEL.key)
    assert succeed(sweep, artifacts) == MODEL
    assert succeed(sweep, artifacts) == waiting != done
    assert sweep.queue.drained


def test_a_parent_whose_own_parent_is_damaged_waits_for_that(sweep: SweepRun, artifacts: Artifacts) -> None:
    damage(artifacts, MODEL)
    damage(artifacts, FULL)
    attack = begin(sweep)
    sweep.fail(attack, **ERROR, damaged=MODEL.key)
    assert begin(sweep) == ATTACKS[1]
    sweep.fail(ATTACKS[1], **ERROR, damaged=MODEL.key)
    model = begin(sweep)
    sweep.fail(model, **ERROR, damaged=FULL.key)
    assert [succeed(sweep, artifacts) for _ in range(2)] == [FULL, MODEL]
    assert {succeed(sweep, artifacts).key for _ in ATTACKS} == {job.key for job in ATTACKS}
    assert sweep.queue.drained


def test_files_that_the_driver_finds_whole_are_left_alone_and_the_job_has_failed(
    tmp_path: Path, sweep: SweepRun, artifacts: Artifacts
) -> None:
    sweep.fail(begin(sweep), **ERROR, damaged=MODEL.key)
    assert sweep.queue.total("failed") == 1
    assert artifacts.damage(MODEL.key) is None


def test_a_parent_that_is_damaged_again_and_again_is_given_up(sweep: SweepRun, artifacts: Artifacts) -> None:
    begin(sweep)
    attack = ATTACKS[0]
    for _ in range(2):
        damage(artifacts, MODEL)
        sweep.fail(attack, **ERROR, damaged=MODEL.key)
        if sweep.queue.total("failed"):
            break
        while succeed(sweep, artifacts) != MODEL:
            pass
        assert begin(sweep) == attack
    assert sweep.queue.total("failed") == 1


def test_the_descendants_that_wait_for_a_parent_that_cannot_be_made_again_are_blocked_and_done_ones_stay_done(
    sweep: SweepRun, artifacts: Artifacts
) -> None:
    succeed(sweep, artifacts)
    damage(artifacts, MODEL)
    sweep.fail(begin(sweep), **ERROR, damaged=MODEL.key)
    sweep.fail(begin(sweep), error="JobError: no", traceback="")
    assert (sweep.queue.total("done"), sweep.queue.total("failed"), sweep.queue.total("blocked")) == (1, 1, 1)
    assert sweep.queue.drained


def test_a_superseded_attempt_is_no_failure_and_the_job_is_handed_out_again(tmp_path: Path, sweep: SweepRun, artifacts: Artifacts) -> None:
    job = begin(sweep)
    sweep.superseded(job, error="SupersededError: another attempt has it")
    assert sweep.queue.total("failed") == 0
    assert {succeed(sweep, artifacts).key, succeed(sweep, artifacts).key} == {job.key for job in ATTACKS}
    assert outcomes(tmp_path, job) == ["interrupted", "done"]


def test_a_superseded_attempt_whose_job_is_done_meanwhile_has_succeeded(sweep: SweepRun, artifacts: Artifacts) -> None:
    job = begin(sweep)
    leave(artifacts, job)
    sweep.superseded(job, error="SupersededError: another attempt has it")
    assert sweep.queue.total("done") == 1


def test_attempts_that_supersede_each_other_for_ever_end_as_a_failure(tmp_path: Path, sweep: SweepRun) -> None:
    job = begin(sweep)
    while not sweep.queue.total("failed"):
        sweep.superseded(job, error="SupersededError: another attempt has it")
        if not sweep.queue.total("failed"):
            sweep.begin(job)
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=False) as store:
        assert [failure.key for failure in failures(store, "small")] == [job.key]
