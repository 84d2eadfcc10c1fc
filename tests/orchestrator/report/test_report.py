import csv
import io
import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.planning.plan import make_plan
from orchestrator.store import Failure, ResultRow, failures, open_store, record_result, result_rows, sweep_status
from orchestrator.tables.plan_table import plan_json, render_plan
from orchestrator.tables.result_columns import shown_columns
from orchestrator.tables.results_table import render_results
from orchestrator.tables.status_table import render_failures, render_status, status_json
from orchestrator.tables.writers import Format
from tests.builders import defend_job, pretrain_job, result_of, small_plan
from tests.orchestrator.changed_rows import changed
from tests.stored import record_sweep
from workers.registry import DEFENCES

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


def markdown_of(rows: list[ResultRow]) -> list[str]:
    """The lines of the table, and at the end what all rows share; without the footnotes."""
    lines = str(render_results(rows, "markdown")).splitlines()
    lines = lines[: 1 + max(number for number, line in enumerate(lines) if line.startswith("|"))]
    return sorted(filter(None, lines), key=lambda line: not line.startswith("|"))


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
    assert "sign gradient" not in printed(render_results(rows, "table"))
    binary = [replace(row, binary=True) for row in rows]
    assert "sign gradient identity" in " ".join(printed(render_results(binary, "table")).split())
    tanh = [replace(row, sign_gradient="tanh") for row in binary]
    (heading, *_) = markdown_of([*binary, *tanh])
    assert "| sign gradient |" in heading


def test_a_table_in_which_much_varies_still_fits_80_columns(rows: list[ResultRow]) -> None:
    varied = [*rows, *(replace(row, adversarial_training="pgd", theta=0.95, model_key="e" * 64) for row in rows)]
    varied += [replace(row, rank_fraction=0.25, model_key="f" * 64) for row in rows]
    text = printed(render_results(varied, "table"), width=80)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "adversarial training" in str(render_results(varied, "markdown"))


def grid(row: ResultRow) -> list[ResultRow]:
    """All combinations of what sweeps vary most, each with the widest cells there are."""
    points = product((1.0, 0.95), ("none", "r_fgsm"), ("none", "defensive_quantization"), ("fgsm", "apgd_dlr"), ("2/255", "16/255"))
    return [
        changed(
            row,
            theta=theta,
            adversarial_training=training,
            defence=defence,
            attack=attack,
            epsilon_literal=epsilon,
            **({"steps": 100} if attack == "apgd_dlr" else {}),
            repeats=1 if theta == 1 else 3,
            model_key=f"{theta}{training}{defence}",
            clean_accuracy=1.0,
            robust_accuracy=1.0,
            ci_low=0.888,
            ci_high=1.0,
        )
        for theta, training, defence, attack, epsilon in points
    ]


def test_a_sweep_of_models_defences_and_attacks_fits_80_columns_with_every_figure_whole(rows: list[ResultRow]) -> None:
    text = printed(render_results(grid(rows[0]), "table"), width=80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert text.count("88.8-100.0") == 32
    for word in ("adver-", "quantized", "apgd_dlr", "repeats", "knowledge randomized"):
        assert word in text


def test_a_table_that_fits_no_terminal_runs_over_its_edge_rather_than_losing_digits(rows: list[ResultRow]) -> None:
    console = Console(file=io.StringIO(), width=40)
    console.print(render_results(grid(rows[0]), "table"), crop=False)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.count("88.8-100.0") == 32
    assert "…" not in text


def test_standard_errors_are_columns_in_percent_points_when_they_are_asked_for(rows: list[ResultRow]) -> None:
    known = [replace(row, se_examples=0.0123, se_draws=0.004) for row in rows]
    forms: list[Format] = ["table", "markdown"]
    for form in forms:
        plain = printed(render_results(known, form), width=200)
        asked = printed(render_results(known, form, extra=["spread"]), width=200)
        assert "±" not in plain
        for word in ("± examples", "1.23", "± draws", "0.40"):
            assert word in asked
        assert "± seeds" not in asked
    pooled = [replace(row, seed=None, seeds=5, se_seeds=0.021) for row in known]
    asked = str(render_results(pooled, "markdown", extra=["spread"]))
    for word in ("± seeds", "2.10", "seeds 5"):
        assert word in asked
    (record, *_) = json.loads(str(render_results(pooled, "json")))
    assert (record["seed"], record["seeds"], record["se_draws"], record["se_seeds"]) == (None, 5, 0.004, 0.021)
    (first, *_) = csv.DictReader(io.StringIO(str(render_results(known, "csv"))))
    assert (first["se_examples"], first["se_draws"], first["se_seeds"]) == ("0.0123", "0.004", "")


def test_what_attacks_cost_has_columns_when_it_is_asked_for(rows: list[ResultRow]) -> None:
    known = [replace(row, forward_passes=1200.0, backward_passes=1000.5, queries=200.0) for row in rows]
    plain, asked = str(render_results(known, "markdown")), str(render_results(known, "markdown", extra=["passes"]))
    assert "passes" not in plain
    for word in ("forward passes", "1200", "backward passes", "1000", "queries", "200"):
        assert word in asked
    assert "passes" not in str(render_results(rows, "markdown", extra=["passes"]))  # those of earlier releases are not known


def test_how_loud_waveforms_are_has_a_column_where_it_is_known(rows: list[ResultRow]) -> None:
    assert "SNR" not in str(render_results(rows, "markdown"))
    (heading, _, first, *_) = markdown_of([replace(rows[0], metrics={"snr_db": 31.46}), *rows[1:]])
    assert "| epsilon | SNR dB |" in heading
    assert "| 31.5 |" in first


def test_a_model_stopped_at_a_rung_always_has_a_column_that_says_so(rows: list[ResultRow]) -> None:
    assert "until epoch" not in [column.title for column in shown_columns(rows)]
    stopped = [replace(row, until=2, epochs=8) for row in rows]
    for shown in (stopped, [*rows, *stopped]):
        (column,) = (column for column in shown_columns(shown) if column.title == "until epoch")
        assert {column.text(row) for row in shown} == {"2 of 8"} | ({"-"} if shown is not stopped else set())


def test_draws_have_a_column_where_random_models_differ_in_them(rows: list[ResultRow]) -> None:
    still = replace(rows[0], theta=1.0, randomised=False, draws=1)
    (heading, *_, common) = markdown_of([still, *(replace(row, draws=4) for row in rows)])
    assert "draws" not in heading
    assert "draws 4" in common
    (heading, *_) = markdown_of([rows[0], replace(rows[0], draws=4)])
    assert heading.endswith("| draws |")


def test_what_the_attacker_knows_is_always_stated_in_a_column_only_where_it_varies(rows: list[ResultRow]) -> None:
    assert {row.knowledge for row in rows} == {"randomized", "omniscient"}
    (heading, *_) = markdown_of(rows)
    assert "| knowledge |" in heading
    randomized = [replace(row, knowledge="randomized") for row in rows]
    clean = replace(rows[0], attack="none", knowledge="none", norm="none")
    (heading, *_, common) = markdown_of([clean, *randomized])
    assert "knowledge" not in heading
    assert "knowledge randomized" in common
    assert "none" not in common.replace("adversarial training none, ", "").replace("defence none, ", "")


def test_the_source_of_transferred_examples_has_a_column_where_it_varies(rows: list[ResultRow]) -> None:
    parent = changed(rows[0], attack="pgd", knowledge="transfer", source_key="a" * 64, source="theta=1", abs_stepsize=1 / 255)
    (heading, *_, common) = markdown_of([parent, rows[0]])
    assert "| source |" not in heading
    assert "source theta=1" in common
    dense = replace(parent, source_key="b" * 64, source="dense undefended")
    text = str(render_results([parent, dense, rows[0]], "markdown"))
    assert "| knowledge | source |" in text
    assert [line.split(" | ")[3] for line in text.splitlines()[4:7]] == ["theta=1", "dense undefended", "-"]
    assert "early stop" not in text
    assert "early stop true" in str(render_results([replace(parent, early_stop=True)], "markdown"))
    records = json.loads(str(render_results([dense, rows[0]], "json")))
    assert [(record["source_key"], record["source"]) for record in records] == [("b" * 64, "dense undefended"), (None, None)]
    (first, other) = csv.DictReader(io.StringIO(str(render_results([dense, rows[0]], "csv"))))
    assert (first["source_key"], other["source_key"]) == ("b" * 64, "")


@pytest.mark.parametrize(
    ("setting", "usual", "other", "title"),
    [
        ("norm", "linf", "l2", "norm"),
        ("loss", "ce", "margin", "loss"),
        ("target", "none", "next", "target"),
        ("restarts", 1, 5, "restarts"),
        ("abs_stepsize", 1 / 255, 2 / 255, "step size"),
        ("backend", "native", "foolbox", "backend"),
        ("eot_samples", 4, 8, "eot samples"),
    ],
)
def test_an_attacks_setting_has_a_column_where_it_varies_and_no_word_where_it_is_as_ever(
    setting: str, usual: object, other: object, title: str, rows: list[ResultRow]
) -> None:
    attacked = changed(rows[0], attack="pgd", knowledge="eot", **{"abs_stepsize": 1 / 255, setting: usual})
    varied = changed(attacked, **{setting: other})
    (heading, *_, common) = markdown_of([attacked, varied])
    assert f"| {title} |" in heading
    assert title not in common
    (heading, *_, common) = markdown_of([attacked])
    assert title not in heading
    assert (title in common) == (setting == "eot_samples")
    (*_, common) = markdown_of([varied])
    assert f"{title} {other:.4g}" in common if isinstance(other, float) else f"{title} {other}" in common


def test_what_an_attack_has_no_choice_about_makes_no_column(rows: list[ResultRow]) -> None:
    pgd = changed(rows[0], attack="pgd", steps=1, abs_stepsize=1 / 255)
    settled_ones = [
        changed(rows[0], attack="apgd_dlr", steps=1, loss="dlr", selection_draws=8),
        changed(rows[0], attack="mi_fgsm", steps=1, abs_stepsize=1 / 255, momentum=1.0),
        changed(rows[0], attack="square", steps=1, loss="margin", selection_draws=8),
    ]
    (heading, *_, common) = markdown_of([pgd, *settled_ones])
    assert heading == "| theta | attack | epsilon | steps | clean % | robust % | 95% interval | verdict |"
    assert "selection draws 8" in common


def test_defences_have_a_column_where_they_vary_and_the_table_still_fits_80_columns(rows: list[ResultRow]) -> None:
    assert "defence none" in " ".join(printed(render_results(rows, "table")).split())
    names = [name for name in DEFENCES.names() if name != "none"]
    defended = [replace(row, defence=name, defence_settings={"x": 1}, model_key=name[-1] * 64) for name in names for row in rows]
    text = printed(render_results([*rows, *defended], "table"), width=80)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= 80
    for word in ("none", "squeezing", "quantized", "pruning", "dropout", "resizing"):
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
