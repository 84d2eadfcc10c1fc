"""Short jobs in batches: keys, rows and attempts of single jobs, and a death in the middle costs only what was unfinished."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.driver.recorder import Recorder
from orchestrator.driver.scheduling.job_queue import JobQueue
from orchestrator.driver.sweep_run import SweepRun
from orchestrator.executors.base import Folders, Resources
from orchestrator.executors.hand_out import HandOut
from orchestrator.store import Store, failures, finished_keys, open_store
from tests.builders import evaluate_job, pretrain_job, result_of
from tests.stored import record_sweep
from workers.artifacts.artifacts import Artifacts
from workers.spec.job import JOB, Job

FULL = pretrain_job()
JOBS = tuple(evaluate_job(FULL, repeat=repeat) for repeat in range(12))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as opened:
        record_sweep(opened, name="small", space_text="", jobs=(FULL, *JOBS))
        yield opened


@pytest.fixture
def sweep(store: Store, tmp_path: Path) -> SweepRun:
    recorder = Recorder(store, sweep="small", artifacts=Artifacts(tmp_path / "artifacts"))
    return SweepRun(JobQueue(JOBS, max_failures=0), recorder, JOBS, known=(FULL, *JOBS))


@pytest.fixture
def hand_out(sweep: SweepRun, tmp_path: Path) -> HandOut:
    return HandOut(sweep, Folders(str(tmp_path / "artifacts"), None), Resources(), overhead=0.1)


def compute(job: Job, artifacts: str) -> None:
    folder = Artifacts(artifacts).folder(job.key)
    folder.begin(job)
    folder.commit(result_of(job))


def begun(hand_out: HandOut, name: str) -> tuple[dict[str, Any], list[Job]]:
    config = hand_out.take(name, share=lambda _: 0.0)
    hand_out.begin(name)
    return config, [JOB.validate_json(text) for text in config["jobs"]]


def finish(hand_out: HandOut, name: str, config: dict[str, Any], jobs: list[Job], *, seconds: float) -> None:
    for job in jobs:
        compute(job, config["artifacts"])
    hand_out.report(name, {"done_jobs": tuple({"key": job.key, "peak_memory": None, "seconds": seconds} for job in jobs)})


def test_jobs_that_take_less_than_handing_them_out_go_together(hand_out: HandOut, sweep: SweepRun, store: Store) -> None:
    for name, seconds, expected in (("unknown", 0.06, 1), ("short", 0.06, 9), ("rest", 0.06, 2)):
        config, jobs = begun(hand_out, name)
        assert len(jobs) == expected
        finish(hand_out, name, config, jobs, seconds=seconds)
        hand_out.end(name, died=False)
    assert sweep.drained
    assert finished_keys(store) >= {job.key for job in JOBS}


def test_jobs_that_take_longer_go_one_by_one(hand_out: HandOut) -> None:
    for name in "abc":
        config, jobs = begun(hand_out, name)
        assert len(jobs) == 1
        finish(hand_out, name, config, jobs, seconds=0.2)
        hand_out.end(name, died=False)


def test_a_worker_that_dies_within_a_batch_loses_the_unfinished_job_alone(hand_out: HandOut, sweep: SweepRun, store: Store) -> None:
    config, jobs = begun(hand_out, "first")
    finish(hand_out, "first", config, jobs, seconds=0.05)
    hand_out.end("first", died=False)
    config, jobs = begun(hand_out, "batch")
    finish(hand_out, "batch", config, jobs[:3], seconds=0.05)
    compute(jobs[5], config["artifacts"])  # done, and not reported any more
    hand_out.end("batch", died=True)
    assert sweep.queue.total("done") == 1 + 3 + 1
    (failure,) = failures(store, "small")
    assert (failure.key, "worker process died" in failure.error) == (jobs[3].key, True)
    left = {job.key for job in begun(hand_out, "again")[1]}
    assert {jobs[4].key, *(job.key for job in jobs[6:])} <= left
    assert not left & {job.key for job in jobs[:4]}


def test_jobs_with_another_share_of_a_gpu_go_by_themselves(hand_out: HandOut, sweep: SweepRun) -> None:
    config, jobs = begun(hand_out, "first")
    finish(hand_out, "first", config, jobs, seconds=0.05)
    hand_out.end("first", died=False)
    config = hand_out.take("mixed", share=lambda job: 1.0 if job == JOBS[4] else 0.125)
    assert [JOB.validate_json(text) for text in config["jobs"]] == list(JOBS[1:4])
    assert sweep.queue.total("waiting") == len(JOBS) - 1 - 3
