"""`robustsweep db` as a user runs it."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.cli.db import human_size
from orchestrator.store import end_driving, open_store
from orchestrator.store.migrations import REVISIONS
from tests.builders import small_plan
from tests.commands import robustsweep, rows
from tests.kept_files import job_folder
from tests.stored import begin_driving, launch, leave_artifacts
from workers.artifacts.artifacts import Artifacts

JOBS = small_plan()
DUMPS = Path(__file__).parents[1] / "store" / "databases"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a store of one sweep, and its artifacts."""
    with open_store(f"sqlite:///{tmp_path}/sweeps/results.db", upgrade=True) as store:
        launch(store, JOBS)
    leave_artifacts(JOBS, tmp_path / "sweeps" / "artifacts")
    return tmp_path


def said(*arguments: str | Path, folder: Path, code: int = 0) -> str:
    done = robustsweep("db", *arguments, cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code < 2 else done.stderr


def old_store(folder: Path, revision: str) -> None:
    (folder / "sweeps").mkdir()
    with closing(sqlite3.connect(folder / "sweeps" / "results.db")) as connection:
        connection.executescript((DUMPS / f"{revision}.sql").read_text())


def test_upgrade_says_from_what_to_what_and_then_that_it_is_current(tmp_path: Path) -> None:
    old_store(tmp_path, "0002")
    assert "schema: 0002, older than" in said("check", folder=tmp_path, code=1)
    assert said("upgrade", folder=tmp_path) == f"schema upgraded from 0002 to {REVISIONS[-1]}\n"
    assert said("upgrade", folder=tmp_path) == f"schema {REVISIONS[-1]}: is current\n"
    assert len(rows(tmp_path, "old")) == 1


@pytest.mark.slow
def test_an_upgraded_store_of_every_age_can_be_exported_and_merged(tmp_path: Path) -> None:
    for revision in REVISIONS:
        place = tmp_path / revision
        place.mkdir()
        old_store(place, revision)
        said("upgrade", folder=place)
        said("export", "out", folder=place)
        said("import", place / "out", folder=tmp_path)
    assert "nothing new" in said("import", tmp_path / REVISIONS[0] / "out", folder=tmp_path)


def test_check_says_ok_line_by_line_and_else_what_to_do(folder: Path) -> None:
    lines = said("check", "--files", folder=folder).splitlines()
    assert lines[0] == f"schema: ok, {REVISIONS[-1]}"
    assert all(line.endswith(": ok") for line in lines[1:])
    shutil.rmtree(job_folder(folder / "sweeps" / "artifacts", JOBS[0].key))
    printed = said("check", folder=folder, code=1)
    assert f"artifacts: job {JOBS[0].key}: no result" in printed
    assert "    do: copy the folders from where the jobs ran" in printed


def test_an_export_is_imported_elsewhere_with_the_same_results(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    printed = said("export", folder / "out", "small", folder=folder)
    assert f"{len(JOBS)} jobs, 1 sweeps, 4 attack results" in printed
    assert json.loads((folder / "out" / "manifest.json").read_text())["sweeps"] == ["small"]
    assert f"{len(JOBS)} jobs" in said("import", folder / "out", folder=elsewhere)
    assert rows(elsewhere, "small") == rows(folder, "small")
    assert said("import", folder / "out", folder=elsewhere) == "nothing new: the store has it all\n"


def test_prune_lists_first_and_removes_only_when_told(folder: Path) -> None:
    printed = said("prune", "--sweep", "small", folder=folder)
    assert printed.startswith("would be removed (--yes does it):\n")
    assert f"\njobs: {len(JOBS)}, about " in printed
    assert f"\nartifacts: {len(JOBS)}, about " in printed
    assert len(rows(folder, "small")) == 2
    assert said("prune", "--sweep", "small", "--yes", "--store", "sqlite:///sweeps/results.db", folder=folder).startswith("removed:\n")
    assert list((folder / "sweeps" / "artifacts").glob("*/*")) == []  # and not, by mistake, those of another store at home
    assert said("prune", "--orphans", "--failed-attempts", "--yes", folder=folder) == "nothing to remove\n"


def test_artifacts_of_the_homes_own_store_outlive_the_pruning_of_another(folder: Path) -> None:
    with open_store(f"sqlite:///{folder}/other.db", upgrade=True):
        pass
    other = f"sqlite:///{folder}/other.db"
    assert said("prune", "--orphans", "--yes", "--store", other, folder=folder) == "nothing to remove\n"
    assert "artifacts: ok" in said("check", folder=folder)


def test_what_stays_is_not_said_to_be_removed(folder: Path) -> None:
    with open_store(f"sqlite:///{folder}/other.db", upgrade=True):
        pass
    strange, other = folder / "strange", f"sqlite:///{folder}/other.db"
    shutil.copytree(folder / "sweeps" / "artifacts", strange)
    shutil.rmtree(strange / "owners", ignore_errors=True)
    options = ("prune", "--orphans", "--store", other, "--artifacts", strange, "--home", folder / "empty")
    left = f"artifacts of unknown owners: {len(JOBS)}, about "
    assert said(*options, folder=folder).startswith(f"nothing to remove\nwould be left (--force removes it too):\n{left}")
    assert said(*options, "--yes", folder=folder).startswith(f"nothing to remove\nleft (--force removes it too):\n{left}")
    assert len(list(strange.glob("*/*/job.json"))) == len(JOBS)
    assert said(*options, "--yes", "--force", folder=folder).startswith("removed:\nartifacts: ")


def test_a_running_sweep_is_neither_pruned_nor_merged_into(folder: Path) -> None:
    said("export", "out", folder=folder)
    with open_store(f"sqlite:///{folder}/sweeps/results.db", upgrade=True) as store:
        lease = begin_driving(store, "small", "somewhere", 42)
        for arguments in (["prune", "--sweep", "small", "--yes"], ["import", "out"]):
            assert "process 42 on somewhere has been running it" in said(*arguments, folder=folder, code=2)
        end_driving(store, lease)
    assert len(rows(folder, "small")) == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["upgrade", "--home", "none"], "no such file; `robustsweep launch SPACE --home none` makes it"),
        (["check", "--home", "none"], "no such file; `robustsweep launch SPACE --home none` makes it"),
        (["export", "out", "--home", "none"], "no such file"),
        (["prune", "--orphans", "--yes", "--home", "none"], "no such file"),
        (["import", "nowhere", "--home", "none"], "import nowhere: no export: manifest.json: No such file"),
        (["export", "out", "nosuch"], "sweep 'nosuch': one of small"),
        (["export", "sweeps"], "exists and is no export"),
        (["export", "/proc/out"], "export /proc/out: "),
        (["prune"], "say what: --sweep NAME, --failed-attempts, --orphans or --rung-states"),
        (["prune", "--sweep", "nosuch"], "sweep 'nosuch': one of small"),
    ],
)
def test_a_mistake_is_one_line_and_makes_nothing(folder: Path, arguments: list[str], expected: str) -> None:
    message = said(*arguments, folder=folder, code=2)
    assert expected in message
    assert message.count("\n") == 1
    assert {path.name for path in folder.iterdir()} == {"sweeps"}


@pytest.mark.parametrize(("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1234, "1.23 kB"), (5_600_000, "5.6 MB"), (7e9, "7 GB")])
def test_sizes_are_said_for_people(size: float, text: str) -> None:
    assert human_size(size) == text


def test_files_go_along_where_that_is_asked_for_and_are_compared_with_their_checksums(folder: Path, tmp_path: Path) -> None:
    files = folder / "sweeps" / "artifacts"
    (lost,) = [job for job in JOBS if job.stage == "fine_tune"]
    next(job_folder(files, lost.key).glob("weights.*")).write_bytes(b"damaged")
    done = robustsweep("db", "export", "out", "--with-artifacts", cwd=folder)
    assert f", files of {len(JOBS) - 1} jobs; " in done.stdout
    assert f"not exported: the files of 1 jobs, first job {lost.key}: " in done.stderr
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert f"files: of {len(JOBS) - 1} jobs; of 0 more they were there" in said("import", folder / "out", folder=elsewhere)
    copied = Artifacts(elsewhere / "sweeps" / "artifacts")
    assert copied.finished() == {job.key for job in JOBS} - {lost.key}
    assert all(copied.damage(key) is None for key in copied.finished())
    (model,) = [job for job in JOBS if job.stage == "pretrain"]
    assert copied.read(model.key, "weights.bin") == b"weights of " + model.key.encode()
    next(job_folder(elsewhere / "sweeps" / "artifacts", model.key).glob("weights.*")).write_bytes(b"damaged")
    assert f"files: of 1 jobs; of {len(JOBS) - 2} more they were there" in said("import", folder / "out", folder=elsewhere)
    assert copied.damage(model.key) is None
