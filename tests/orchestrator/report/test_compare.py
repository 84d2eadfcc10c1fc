"""`robustsweep compare` as a user runs it."""

import csv
import io
import json
from pathlib import Path

import pytest

from orchestrator.store import open_store
from tests.builders import attack_job, evaluate_job, fine_tune_job, pretrain_job
from tests.commands import robustsweep
from tests.stored import launch
from workers.spec.job import Job

FULL = pretrain_job()


def jobs(epochs: int, *, theta: float = 0.8) -> list[Job]:
    model = fine_tune_job(FULL, epochs=epochs, theta=theta)
    return [FULL, evaluate_job(FULL), model, evaluate_job(model), attack_job(model)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two sweeps that differ in one setting, and one that shares a single job's result with them."""
    with open_store(f"sqlite:///{tmp_path}/sweeps/results.db", upgrade=True) as store:
        launch(store, jobs(1), name="short")
        launch(store, jobs(3), name="long")
        launch(store, [*jobs(1), *jobs(1, theta=0.5)], name="=wide|<b>")
    return tmp_path


def said(folder: Path, *arguments: str) -> str:
    done = robustsweep("compare", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_change_is_on_top_and_shared_jobs_are_said_to_be_the_same(folder: Path) -> None:
    lines = said(folder, "short", "long").splitlines()
    assert lines[:3] == [
        "long against short: 2 cells compared; differences are percent points, long minus short",
        "fine_tuning.epochs: 1 -> 3",
        "the same jobs in both: 1 cell",
    ]
    table = [line.split() for line in lines[4:]]
    assert table[0] == "theta attack knowledge short % long % difference 95% interval".replace("knowledge ", "").split()
    assert table[2] == ["1", "none", "50.0", "50.0", "same", "job", "-"]
    assert table[4][:5] == ["0.8", "fgsm", "50.0", "50.0", "+0.0"]


def test_what_only_one_has_is_counted_and_listed_if_asked(folder: Path) -> None:
    counted = said(folder, "short", "=wide|<b>")
    assert "only in =wide|<b>: 2 cells; --all lists them" in counted
    assert "0.5" not in counted
    listed = said(folder, "short", "=wide|<b>", "--all")
    assert "only in =wide|<b>: 2 cells\n" in listed
    assert "  0.5  fgsm" in listed


def test_csv_is_a_table_that_no_spreadsheet_computes(folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(said(folder, "short", "=wide|<b>", "-f", "csv", "--all"))))
    assert "'=wide|<b> %" in rows[0]
    assert [row["jobs"] for row in rows] == ["same job", "same job", "same job", "only in =wide|<b>", "only in =wide|<b>"]


def test_json_has_every_cell_with_shares(folder: Path) -> None:
    found = json.loads(said(folder, "short", "long", "-f", "json"))
    assert found["changes"] == {"fine_tuning.epochs": [[1, 3]]}
    assert [cell["same_jobs"] for cell in found["cells"]] == [True, False, False]
    compared = found["cells"][-1]
    assert compared["before"]["accuracy"] == compared["after"]["accuracy"] == 0.5
    assert compared["ci_low"] < compared["difference"] == 0 < compared["ci_high"]
    assert compared["settings"]["model.theta"] == 0.8


def test_markdown_escapes_names(folder: Path) -> None:
    text = said(folder, "short", "=wide|<b>", "-f", "markdown")
    assert r"=wide\|\<b\> %" in text
    assert "<b>" not in text.replace(r"\<b\>", "")


def test_mistakes_get_one_line(folder: Path) -> None:
    for arguments, expected in (
        (("short", "nosuch"), "sweep 'nosuch': one of =wide|<b>, long, short"),
        (("short", "short"), "must be two sweeps"),
    ):
        done = robustsweep("compare", *arguments, cwd=folder)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert expected in done.stderr
