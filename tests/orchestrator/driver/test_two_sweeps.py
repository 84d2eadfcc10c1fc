"""Two sweeps that share jobs and run at the same moment: each job is computed by one of them, and both have its result."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from orchestrator.driver.recorder import Recorder
from orchestrator.driver.scheduling.job_queue import JobQueue
from orchestrator.driver.sweep_run import SweepRun
from orchestrator.store import finished_keys, open_store
from tests.builders import result_of, small_plan
from tests.commands import PROGRAM, attempts, environment, rows, write_space
from tests.faults.processes import wait_for
from tests.stored import record_sweep
from workers.artifacts.artifacts import Artifacts
from workers.spec.job import Job

JOBS = tuple(small_plan(repeats=2))
SPACE = """
data: {name: digits, train_examples: 320}
model: {width: 4, theta: [1.0, THETA]}
training: {epochs: 12, batch_size: 32}
fine_tuning: {epochs: 2}
evaluation: {examples: 24, batch_size: 12, repeats: 2}
attacks: [{attack: [fgsm, pgd], epsilon: 8/255, steps: 3}]
"""


class Sweeping:
    """A sweep that runs while another one is at the jobs in `elsewhere`."""

    def __init__(self, recorder: Recorder, artifacts: Artifacts) -> None:
        self.elsewhere: frozenset[str] = frozenset()
        self.artifacts, self.ran = artifacts, list[str]()
        self.sweep = SweepRun(JobQueue(JOBS, max_failures=1), recorder, JOBS, elsewhere=lambda: self.elsewhere)

    def finish(self, job: Job) -> None:
        """Files that the driver which computes the job leaves."""
        folder = self.artifacts.folder(job.key, attempt="one")
        folder.begin(job)
        folder.commit(result_of(job))

    def run_all_that_is_ready(self) -> None:
        while (job := self.sweep.take()) is not None:
            self.sweep.begin(job)
            self.finish(job)
            self.ran.append(job.key)
            self.sweep.succeed(job)


@pytest.fixture
def sweeping(tmp_path: Path) -> Iterator[Sweeping]:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as store:
        record_sweep(store, name="small", space_text="", jobs=JOBS)
        artifacts = Artifacts(tmp_path / "artifacts")
        yield Sweeping(Recorder(store, sweep="small", artifacts=artifacts), artifacts)


def test_a_job_that_another_sweep_computes_is_waited_for_and_its_result_taken(sweeping: Sweeping, tmp_path: Path) -> None:
    shared = JOBS[0]
    sweeping.elsewhere = frozenset({shared.key})
    sweeping.run_all_that_is_ready()
    assert not sweeping.sweep.drained
    assert "another sweep is computing it" in sweeping.sweep.last_event
    sweeping.finish(shared)
    sweeping.elsewhere = frozenset()
    sweeping.run_all_that_is_ready()
    assert sweeping.sweep.drained
    assert shared.key not in sweeping.ran
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=False) as store:
        assert finished_keys(store) == {job.key for job in JOBS}


def test_a_job_that_another_sweep_gave_up_is_computed(sweeping: Sweeping) -> None:
    sweeping.elsewhere = frozenset({JOBS[0].key})
    assert sweeping.sweep.take() is None
    sweeping.elsewhere = frozenset()
    sweeping.run_all_that_is_ready()
    assert sorted(sweeping.ran) == sorted(job.key for job in JOBS)


@contextmanager
def launched(folder: Path, name: str) -> Iterator["subprocess.Popen[str]"]:
    with (folder / f"{name}.log").open("w") as log:
        command = [*PROGRAM, "launch", f"{name}.yaml", "--executor", "inline"]
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=log, stderr=log, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait(timeout=60)


@pytest.mark.slow
def test_two_launches_at_once_compute_what_they_share_once(tmp_path: Path) -> None:
    for name, theta in (("one", "0.9"), ("two", "0.8")):
        write_space(tmp_path, SPACE.replace("THETA", theta), name=name)
    with ExitStack() as stack:
        first = stack.enter_context(launched(tmp_path, "one"))
        wait_for(lambda: any(tmp_path.glob("sweeps/artifacts/*/*/attempt")), seconds=120, what="the first training")
        second = stack.enter_context(launched(tmp_path, "two"))
        for process in (first, second):
            assert process.wait(timeout=240) == 0, [(tmp_path / f"{name}.log").read_text() for name in ("one", "two")]
    outcomes = attempts(tmp_path)
    trained = [key for key in outcomes if any(tmp_path.glob(f"sweeps/artifacts/*/{key}/model.*"))]
    assert len(trained) == 3
    assert [outcomes[key] for key in trained] == [["done"]] * 3
    assert {of_job[-1] for of_job in outcomes.values()} == {"done"}
    assert len(rows(tmp_path, "one")) == len(rows(tmp_path, "two")) > 0
