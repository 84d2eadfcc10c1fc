"""Files that are damaged or cannot be written, on real sweeps: found out, made again, and nothing lost."""

import io
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from mmap import PAGESIZE
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.launching.launch import LaunchOptions, launch
from orchestrator.paths import Paths
from orchestrator.store import ResultRow, open_store, result_rows
from orchestrator.store.reading.job_details import job_details
from tests.commands import robustsweep, write_space
from tests.faults.judging import Judge, Kept
from tests.kept_files import job_folder
from workers.artifacts.artifacts import Artifacts
from workers.runtime.job_context import load_network, load_split
from workers.spec.job import Job

NARROW = """
data: {name: digits, train_examples: 48}
model: {width: 2, theta: [1.0, 0.8]}
training: {epochs: 1, batch_size: 24}
fine_tuning: {epochs: 1}
evaluation: {examples: 10, batch_size: 5, repeats: 1}
attacks: [{attack: fgsm, epsilon: 8/255, knowledge: [randomized, omniscient]}]
surfaces: [{example: 0, resolution: 3}]
"""
WIDE = NARROW.replace("repeats: 1", "repeats: 2")


def sweep(folder: Path, text: str, *, artifacts: str | None = None, data: str | None = None) -> tuple[int, str]:
    """Launch in this process, which begins as a fresh worker does: with nothing in its caches; exit code and output."""
    load_network.cache_clear()
    load_split.cache_clear()
    said = io.StringIO()
    paths = Paths.resolve(home=folder / "sweeps", store=None, artifacts=artifacts, data=data)
    options = LaunchOptions(space=str(write_space(folder, text)), paths=paths, executor="inline", max_failures=1)
    return launch(options, Console(file=said, width=300)), said.getvalue()


def rows(folder: Path) -> list[ResultRow]:
    with open_store(f"sqlite:///{folder / 'sweeps' / 'results.db'}", upgrade=False) as store:
        return result_rows(store, "tiny", per_repeat=True)


def attempts(folder: Path, key: str) -> list[str]:
    with open_store(f"sqlite:///{folder / 'sweeps' / 'results.db'}", upgrade=False) as store:
        return [attempt.outcome for attempt in job_details(store, key).attempts]


def artifacts(folder: Path) -> Artifacts:
    return Artifacts(folder / "sweeps" / "artifacts")


def kept(folder: Path, root: Path | None = None) -> Kept:
    return Kept(f"sqlite:///{folder / 'sweeps' / 'results.db'}", root or folder / "sweeps" / "artifacts")


def job_of(folder: Path, stage: str) -> Job:
    """A job of this stage: the first one by its settings and its parents', so that of two models' it is the randomised one's."""
    found = artifacts(folder)
    jobs = [job for key in found.all_keys() if (job := found.job(key)).stage == stage]
    return min(jobs, key=lambda job: [one.spec.model_dump_json() for one in (job, *map(found.job, job.parents.values()))])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def everything_is_whole(folder: Path) -> bool:
    found = artifacts(folder)
    hidden = list((folder / "sweeps" / "artifacts").glob("*/*/.*"))
    return hidden == [] and found.finished() == set(found.all_keys()) and not any(map(found.damage, found.all_keys()))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert sweep(folder, WIDE)[0] == 0
    return folder


@pytest.mark.fault("artifact truncated or bits flipped", outcome="found by its checksum and computed again")
@pytest.mark.parametrize(
    ("stage", "file", "damage"),
    [
        pytest.param("fine_tune", "model.*", flip, marks=pytest.mark.slow),
        pytest.param("fine_tune", "model.*", Path.unlink, marks=pytest.mark.slow),
        ("fine_tune", "result.json", flip),
        pytest.param("fine_tune", "job.json", truncate, marks=pytest.mark.slow),
        ("craft", "examples.*", truncate),
        pytest.param("surface", "surface.*", flip, marks=pytest.mark.slow),
        pytest.param("surface", "result.json", truncate, marks=pytest.mark.slow),
    ],
)
def test_damaged_files_are_made_again_by_the_next_launch_and_the_rows_are_those_of_a_quiet_run(
    tmp_path: Path, undisturbed: Path, judge: Judge, stage: str, file: str, damage
) -> None:
    assert sweep(tmp_path, NARROW)[0] == 0
    job = job_of(tmp_path, stage)
    (path,) = job_folder(tmp_path / "sweeps" / "artifacts", job.key).glob(file)
    whole = path.read_bytes()
    damage(path)
    code, said = sweep(tmp_path, WIDE)
    assert code == 0, said
    assert rows(tmp_path) == rows(undisturbed)
    assert attempts(tmp_path, job.key) == ["done", "done"]
    assert file == "result.json" or path.read_bytes() == whole
    assert everything_is_whole(tmp_path)
    assert "nothing to do" in sweep(tmp_path, WIDE)[1]
    judge(kept(tmp_path), kept(undisturbed), damaged=[job.key])


@pytest.mark.fault("artifact truncated or bits flipped", outcome="found by its checksum and computed again")
def test_damage_of_a_models_own_parent_is_mended_first(tmp_path: Path, undisturbed: Path, judge: Judge) -> None:
    assert sweep(tmp_path, NARROW)[0] == 0
    job = job_of(tmp_path, "fine_tune")
    damaged = [job.key, *job.parents.values()]
    for key in damaged:
        (path,) = job_folder(tmp_path / "sweeps" / "artifacts", key).glob("model.*")
        flip(path)
    assert sweep(tmp_path, WIDE)[0] == 0
    assert rows(tmp_path) == rows(undisturbed)
    assert everything_is_whole(tmp_path)
    judge(kept(tmp_path), kept(undisturbed), damaged=damaged)


@pytest.mark.fault("artifact truncated or bits flipped", outcome="found by its checksum and computed again")
def test_a_damaged_result_that_was_never_recorded_is_computed_again(tmp_path: Path, undisturbed: Path, judge: Judge) -> None:
    assert sweep(tmp_path, NARROW)[0] == 0
    for path in (tmp_path / "sweeps").glob("results.db*"):
        path.unlink()
    job = job_of(tmp_path, "attack")
    flip(job_folder(tmp_path / "sweeps" / "artifacts", job.key) / "result.json")
    assert sweep(tmp_path, WIDE)[0] == 0
    assert rows(tmp_path) == rows(undisturbed)
    assert attempts(tmp_path, job.key) == ["done"]
    judge(kept(tmp_path), kept(undisturbed))


@contextmanager
def small_disk(folder: Path, *, size: str) -> Iterator[Path]:
    """A file system of its own with so little room."""
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("only root can mount a file system here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def fill(path: Path) -> None:
    """Take all the room that the disk has left but a page: enough for a launch to begin, and for no job."""
    with suppress(OSError), path.open("wb", buffering=0) as opened:
        while True:
            opened.write(b"x" * 1000)
    os.truncate(path, path.stat().st_size - PAGESIZE)


@pytest.mark.fault("disk full under the artifacts", outcome="jobs fail in one line; with room again, the next launch completes the sweep")
def test_a_full_disk_fails_jobs_with_one_line_and_when_there_is_room_again_a_launch_completes_the_sweep(
    tmp_path: Path, undisturbed: Path, judge: Judge
) -> None:
    with small_disk(tmp_path, size="4m") as disk:
        assert sweep(tmp_path, NARROW, artifacts=str(disk))[0] == 0
        before = {path: path.read_bytes() for path in disk.glob("*/*/*")}
        filler = disk / "filler"
        fill(filler)
        code, said = sweep(tmp_path, WIDE, artifacts=str(disk))
        assert code == 1, said
        with open_store(f"sqlite:///{tmp_path / 'sweeps' / 'results.db'}", upgrade=False) as store:
            errors = {attempt.error for job in store_failures(store) for attempt in job_details(store, job).attempts}
        assert errors
        assert all(str(error).startswith(f"StorageError: {disk}/") and str(error).endswith(": no space left on device") for error in errors)
        assert list(disk.glob("*/*/.*")) == []
        assert {path: path.read_bytes() for path in before} == before
        filler.unlink()
        assert sweep(tmp_path, WIDE, artifacts=str(disk))[0] == 0
        assert list(disk.glob("*/*/.*")) == []
        judge(kept(tmp_path, disk), kept(undisturbed))
    assert rows(tmp_path) == rows(undisturbed)


@pytest.mark.fault("disk full before the launch", outcome="said in one line, and nothing is begun; with room again, the same command runs")
@pytest.mark.parametrize(("option", "code"), [("artifacts", 2), ("store", 1), ("home", 1)])
def test_a_disk_that_is_full_before_the_launch_is_said_in_one_line(
    tmp_path: Path, undisturbed: Path, judge: Judge, option: str, code: int
) -> None:
    write_space(tmp_path, WIDE)
    with small_disk(tmp_path, size="4m") as disk:
        filler, home = disk / "filler", disk / "sweeps" if option == "home" else tmp_path / "sweeps"
        database = disk / "results.db" if option == "store" else home / "results.db"
        files = disk / "files" if option == "artifacts" else home / "artifacts"
        with suppress(OSError), filler.open("wb", buffering=0) as opened:
            while True:
                opened.write(bytes(PAGESIZE))
        places = ("--home", home, "--store", f"sqlite:///{database}", "--artifacts", files)
        done = robustsweep("launch", "tiny.yaml", "--executor", "inline", *places, cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
        assert done.stderr.rstrip().endswith(("is full", "no space left on device"))
        assert list(files.glob("*/*/result.json")) == []
        filler.unlink()
        done = robustsweep("launch", "tiny.yaml", "--executor", "inline", *places, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        judge(Kept(f"sqlite:///{database}", files), kept(undisturbed))


def store_failures(store) -> list[str]:
    from orchestrator.store import failures

    return [failure.key for failure in failures(store, "tiny")]


@pytest.mark.fault("data file corrupt", outcome="named with its checksum; the other jobs go on")
def test_a_corrupt_data_file_is_named_and_the_other_jobs_go_on(tmp_path: Path, undisturbed: Path, judge: Judge) -> None:
    batches = tmp_path / "data" / "cifar-10-batches-py"
    batches.mkdir(parents=True)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"):
        (batches / name).write_bytes(b"not what was published")
    both = f"{WIDE}variants: [{{}}, {{data: {{name: cifar10, train_examples: 48}}}}]\n"
    code, _ = sweep(tmp_path, both, data=str(tmp_path / "data"))
    assert code == 1
    with open_store(f"sqlite:///{tmp_path / 'sweeps' / 'results.db'}", upgrade=False) as store:
        (failed,) = store_failures(store)
        error = job_details(store, failed).attempts[-1].error
    assert error.startswith(f"DataError: cifar10: {batches / 'data_batch_1'} is corrupt: its MD5 is ")
    assert [row for row in rows(tmp_path) if row.dataset == "digits"] == rows(undisturbed)
    judge(kept(tmp_path), kept(undisturbed))


def test_artifacts_in_an_object_store_give_the_rows_that_those_on_disk_give(tmp_path: Path, undisturbed: Path) -> None:
    place = f"memory://{tmp_path.name}"
    assert sweep(tmp_path, NARROW, artifacts=place)[0] == 0
    assert sweep(tmp_path, WIDE, artifacts=place)[0] == 0
    assert rows(tmp_path) == rows(undisturbed)
    found = Artifacts(place)
    assert found.finished() == artifacts(undisturbed).finished()
    assert not (tmp_path / "sweeps" / "artifacts").exists()
