import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console

from orchestrator.plan import make_plan
from orchestrator.report import plan_json, render_failures, render_plan, render_results, render_status, status_json
from orchestrator.store import Failure, ResultRow, failures, open_store, record_result, record_sweep, result_rows, sweep_status
from tests.builders import defend_job, pretrain_job, result_of, small_plan
from workers.fields import DefenceName

ISSUE_FIELDS = [
    "sweep",
    "model_key",
    "job_keys",
    "dataset",
    "model",
    "theta",
    "rank",
    "binary",
    "adversarial_training",
    "attack",
    "knowledge",
    "norm",
    "epsilon",
    "epsilon_literal",
    "repeats",
    "n_examples",
    "clean_accuracy",
    "robust_accuracy",
    "ci_low",
    "ci_high",
]


@pytest.fixture
def rows(tmp_path: Path) -> list[ResultRow]:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as store:
        jobs = small_plan(repeats=2)
        record_sweep(store, name="small", space_text="", jobs=jobs)
        for job in jobs:
            record_result(store, job, result_of(job), attempt_id=None)
        return result_rows(store, "small", per_repeat=False)


def printed(renderable: object, *, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_json_rows_have_the_published_fields(rows: list[ResultRow]) -> None:
    text = render_results(rows, "json")
    assert isinstance(text, str)
    records = json.loads(text)
    assert len(records) == len(rows)
    assert all(set(ISSUE_FIELDS) <= set(record) for record in records)
    assert all(0 <= record["ci_low"] <= record["robust_accuracy"] <= record["ci_high"] <= 1 for record in records)


def test_csv_has_the_same_figures_as_json(rows: list[ResultRow]) -> None:
    text = render_results(rows, "csv")
    assert isinstance(text, str)
    records = list(csv.DictReader(io.StringIO(text)))
    assert [float(record["robust_accuracy"]) for record in records] == [row.robust_accuracy for row in rows]
    assert [record["job_keys"].split() for record in records] == [list(row.job_keys) for row in rows]


def test_markdown_is_a_table_with_a_row_per_result(rows: list[ResultRow]) -> None:
    text = render_results(rows, "markdown")
    assert isinstance(text, str)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == len(rows) + 2
    assert len({line.count("|") for line in lines}) == 1


def test_the_table_fits_80_columns_and_says_what_all_rows_share(rows: list[ResultRow]) -> None:
    text = printed(render_results(rows, "table"), width=80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    assert "dataset digits" in text
    for row in rows:
        assert row.epsilon_literal in text


def test_the_signs_gradient_has_a_column_where_it_varies(rows: list[ResultRow]) -> None:
    assert "sign gradient identity" in printed(render_results(rows, "table"))
    tanh = [replace(row, sign_gradient="tanh") for row in rows]
    (heading, *_) = str(render_results([*rows, *tanh], "markdown")).splitlines()
    assert "| sign gradient |" in heading


def test_a_table_in_which_much_varies_still_fits_80_columns(rows: list[ResultRow]) -> None:
    varied = [*rows, *(replace(row, adversarial_training="pgd", theta=0.95, model_key="e" * 64) for row in rows)]
    varied += [replace(row, rank_fraction=0.25, model_key="f" * 64) for row in rows]
    text = printed(render_results(varied, "table"), width=80)
    assert "…" not in text
    assert "adversarial" in text


def test_defences_have_a_column_where_they_vary_and_the_table_still_fits_80_columns(rows: list[ResultRow]) -> None:
    assert "defence none" in " ".join(printed(render_results(rows, "table")).split())
    names = [name for name in get_args(DefenceName) if name != "none"]
    defended = [replace(row, defence=name, defence_settings={"x": 1}, model_key=name[-1] * 64) for name in names for row in rows]
    text = printed(render_results([*rows, *defended], "table"), width=80)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= 80
    for word in ("none", "squeezing", "quantization", "pruning", "dropout", "resize, pad"):
        assert word in text
    records = json.loads(str(render_results(defended, "json")))
    assert {record["defence"] for record in records} == set(names)
    assert records[0]["defence_settings"] == {"x": 1}
    (first, *_) = csv.DictReader(io.StringIO(str(render_results(defended, "csv"))))
    assert (first["defence"], first["defence_settings"]) == (names[0], "x=1")


def test_models_that_look_alike_are_told_apart_by_their_key(rows: list[ResultRow]) -> None:
    twin = [replace(row, model_key="f" * 64) for row in rows]
    text = printed(render_results([*rows, *twin], "table"))
    assert text.split().count("key") == 1
    assert "ffffffff" in text
    assert rows[0].model_key[:8] in text


def test_no_results_is_said_in_every_format() -> None:
    assert render_results([], "json") == "[]"
    assert "no results yet" in printed(render_results([], "table"))
    assert "no results yet" in str(render_results([], "markdown"))


def test_a_plan_shows_jobs_by_stage_and_by_model_and_each_job_on_request() -> None:
    jobs = small_plan(repeats=2)
    done = {job.key for job in jobs if job.stage in ("pretrain", "evaluate")}
    plan = make_plan(jobs, recorded=done, finished=done)
    text = printed(render_plan("small", plan, every_job=False))
    assert f"{len(jobs)} jobs" in text
    detailed = printed(render_plan("small", plan, every_job=True))
    assert all(job.key[:8] in detailed for job in jobs)
    found = json.loads(plan_json("small", plan))
    assert {job["key"] for job in found["jobs"] if job["state"] == "done"} == done
    assert found["stages"]["pretrain"] == {"jobs": 1, "done": 1}


def test_the_longest_defence_leaves_a_plan_its_columns() -> None:
    full = pretrain_job()
    plan = make_plan([full, defend_job(full, "stochastic_activation_pruning")], recorded=frozenset(), finished=frozenset())
    text = printed(render_plan("small", plan, every_job=False), width=80)
    assert "…" not in text
    assert text.count("to run      0 of 0") == 2


def test_status_and_failures_are_readable_and_machine_readable(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as store:
        record_sweep(store, name="small", space_text="", jobs=small_plan())
        statuses, failed = sweep_status(store, None), failures(store, None)
    assert "sweep small: not running" in printed(render_status(statuses))
    assert "no job has failed" in printed(render_failures(failed))
    assert json.loads(status_json(statuses, failed))["sweeps"][0]["name"] == "small"


def test_a_failure_shows_its_traceback_literally() -> None:
    failure = Failure(
        key="a" * 64, stage="attack", description="pgd [bold]", attempts=3, error="JobError: [red]x", traceback="File [x]\nboom"
    )
    text = printed(render_failures([failure]))
    for part in ("pgd [bold]", "JobError: [red]x", "File [x]", "boom", "failed 3 times", "a" * 64):
        assert part in text
