"""Jobs that go through their examples batch by batch: what they report, and how a killed one goes on."""

import itertools
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch

from tests.builders import attack_job, attack_settings, craft_job, evaluate_job
from tests.kept_files import job_folder
from tests.workers.runtime.chain import FULL, MODEL, PGD, run_all
from tests.workers.small import generator, split
from workers.artifacts.artifacts import Artifacts
from workers.artifacts.outcomes import BatchRecord, EpochRecord
from workers.measure import resumable_loop as course
from workers.measure.resumable_loop import ProgressFile, ResumableLoop
from workers.progress import throttled
from workers.runtime.run import RunSettings, run
from workers.spec.job import JOB

ROOT = Path(__file__).parents[3]
SQUARE = attack_settings(name="square", epsilon=0.1, steps=4, selection_draws=2)
CRAFT = craft_job(MODEL, attack=PGD, examples=20)
# Each in three batches, of 8, 8 and 4 examples.
JOBS = {
    "evaluate": evaluate_job(MODEL, examples=20, draws=3),
    "craft": CRAFT,
    "pgd": attack_job(MODEL, attack=PGD, examples=20, draws=2),
    "eot": attack_job(MODEL, attack=attack_settings(name="pgd", epsilon=0.1, steps=2, eot_samples=3), knowledge="eot", examples=20),
    "square": attack_job(MODEL, attack=SQUARE, examples=20),
    "omniscient": attack_job(MODEL, attack=PGD, crafted=CRAFT, examples=20, draws=2),
    "foolbox": attack_job(MODEL, attack=attack_settings(name="pgd", epsilon=0.1, steps=2, backend="foolbox"), examples=20),
    "theta 1": attack_job(FULL, attack=attack_settings(), examples=20),
}
LONG = attack_job(MODEL, attack=attack_settings(name="pgd", epsilon=0.1, steps=10), examples=80, batch_size=4, draws=2)


class KilledError(Exception):
    """Stands for the SIGKILL that ends an attempt."""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Every job, run undisturbed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Foolbox, or what it imports, uses what is deprecated
        import foolbox  # noqa: F401
    return run_all([FULL, MODEL, *JOBS.values()], tmp_path_factory.mktemp("artifacts"))


@pytest.fixture
def parents(done, tmp_path):
    for job in (FULL, MODEL, CRAFT):
        shutil.copytree(job_folder(done.root, job.key), job_folder(tmp_path, job.key))
    return tmp_path


def kill(job, root, *, after, save_seconds=0.0):
    """Run the job until so many batches are done; what it reported."""
    reported = []

    def report(record):
        reported.append(record)
        if len(reported) == after:
            raise KilledError

    with pytest.raises(KilledError):
        run(job, RunSettings(root, save_seconds=save_seconds), attempt="a1", report=report)
    return reported


def finish(job, root):
    reported = []
    result = run(job, RunSettings(root, save_seconds=0.0), attempt="a2", report=reported.append)
    return result, [(record.done, record.before) for record in reported]


def names(root, job):
    return sorted(path.name for path in job_folder(root, job.key).iterdir())


@pytest.mark.parametrize("after", [1, 2])
@pytest.mark.parametrize("name", JOBS)
def test_a_killed_job_goes_on_where_it_was_to_the_same_result_to_the_last_bit(name, after, done, parents):
    job = JOBS[name]
    shutil.rmtree(job_folder(parents, job.key), ignore_errors=True)
    reported = kill(job, parents, after=after)
    assert [record.done for record in reported] == [8, 16][:after]
    assert "progress" in names(parents, job)
    result, reports = finish(job, parents)
    before = 8 * after
    assert reports == [(before, before), *((number, before) for number in (16, 20) if number > before)]
    assert (result.outcome, result.files) == (done[job].outcome, done[job].files)
    assert names(parents, job) == names(done.root, job)


def test_a_job_killed_again_and_again_ends_at_the_same_result(done, parents):
    job = JOBS["pgd"]
    kill(job, parents, after=1)
    kill(job, parents, after=2)  # the first report says where it goes on
    result, reports = finish(job, parents)
    assert reports == [(16, 16), (20, 16)]
    assert result.outcome == done[job].outcome


def damaged(content):
    yield content[:-1]
    yield b""
    yield content[:20]
    yield bytes([content[0] ^ 1]) + content[1:]
    yield content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("damage", range(5))
def test_a_damaged_progress_file_is_ignored_and_the_job_starts_over(damage, done, parents):
    job = JOBS["pgd"]
    kill(job, parents, after=2)
    path = job_folder(parents, job.key) / "progress"
    path.write_bytes(next(itertools.islice(damaged(path.read_bytes()), damage, None)))
    result, reports = finish(job, parents)
    assert reports == [(8, 0), (16, 0), (20, 0)]
    assert result.outcome == done[job].outcome


def test_another_jobs_progress_is_ignored(done, parents):
    job, other = JOBS["pgd"], attack_job(MODEL, attack=PGD, repeat=1, examples=20, draws=2)
    kill(other, parents, after=2)
    job_folder(parents, job.key).mkdir(parents=True)
    shutil.copy(job_folder(parents, other.key) / "progress", job_folder(parents, job.key) / "progress")
    result, reports = finish(job, parents)
    assert reports == [(8, 0), (16, 0), (20, 0)]
    assert result.outcome == done[job].outcome


def test_progress_with_other_generators_is_ignored(tmp_path):
    file = ProgressFile(Artifacts(tmp_path).folder("job"))
    file.write({"found/x": torch.ones(8), "generator/start": generator().get_state()}, owner="key start:cuda")
    found = ResumableLoop("key", {"start": generator()}, file=file).through(split(16), lambda *batch: {"x": batch[2] * 2}, batch_size=8)
    assert found["x"].tolist() == (split(16).labels * 2).tolist()


def test_nothing_is_saved_before_the_pause_between_two_saves_is_over(parents):
    job = JOBS["pgd"]
    kill(job, parents, after=2, save_seconds=1000.0)
    assert names(parents, job) == ["attempt", "job.json"]


def test_a_save_that_takes_long_is_followed_by_a_longer_pause(monkeypatch, tmp_path):
    now = itertools.count()  # each look at the clock takes a second
    monkeypatch.setattr(course.time, "monotonic", lambda: float(next(now)))
    saving = ResumableLoop("key", file=ProgressFile(Artifacts(tmp_path).folder("job")), save_seconds=5.0)
    assert saving._saved(ProgressFile(Artifacts(tmp_path).folder("job")), {"x": torch.ones(1)}) == 1 + 5 * (1 + 4)


def test_batches_are_reported_at_most_so_often_and_epochs_always(monkeypatch):
    clock, heard = iter([0.0, 0.1, 0.6, 0.7, 0.8, 1.1]), []
    monkeypatch.setattr("workers.progress.time.monotonic", lambda: next(clock))
    report = throttled(heard.append, seconds=0.5)
    epoch = EpochRecord(epoch=1, loss=1.0, accuracy=0.5, learning_rate=0.1)
    batches = [BatchRecord(done=done, total=9) for done in range(5)]
    for record in (*batches[:3], epoch, batches[3], batches[4]):
        report(record)
    assert heard == [batches[2], epoch]


@pytest.mark.slow
def test_an_attack_killed_by_the_system_goes_on_to_the_same_result(parents, tmp_path):
    whole = run(LONG, RunSettings(parents))
    shutil.rmtree(job_folder(parents, LONG.key))
    path = tmp_path / "job.json"
    path.write_bytes(JOB.dump_json(LONG))
    command = [sys.executable, "-m", "workers", str(path), "--artifacts", str(parents), "--save-seconds", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not (job_folder(parents, LONG.key) / "progress").exists():
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert LONG.key not in Artifacts(parents).finished()
    result, reports = finish(LONG, parents)
    assert reports[0][0] == reports[0][1] > 0
    assert result.outcome == whole.outcome
    assert names(parents, LONG) == ["job.json", "result.json"]
