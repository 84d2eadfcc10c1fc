"""Two sweeps compared, on every back end."""

import numpy as np
import pytest

from orchestrator.statistics.differences import paired_difference
from orchestrator.statistics.shared_luck import SharedDraws
from orchestrator.store import Store, record_result
from orchestrator.store.reading.paired_results import compare_sweeps
from orchestrator.tables.comparison_table import render_comparison
from tests.builders import attack_job, craft_job, evaluate_job, fine_tune_job, flags_result, pretrain_job, result_of, transfer_job
from tests.stored import record_sweep
from workers.errors import UserError
from workers.spec.job import Job


def finish(store: Store, sweep: str, *jobs: Job) -> None:
    record_sweep(store, name=sweep, space_text="", jobs=jobs)
    for job in jobs:
        record_result(store, job, result_of(job), attempt_id=None)


def measured(model: Job) -> list[Job]:
    return [job for repeat in range(2) for job in (evaluate_job(model, repeat=repeat), attack_job(model, repeat=repeat))]


FULL = pretrain_job()
SHORT, LONG = fine_tune_job(FULL, epochs=1), fine_tune_job(FULL, epochs=3)


def test_cells_are_matched_and_what_one_sweep_changed_is_named(store: Store) -> None:
    finish(store, "short", FULL, *measured(FULL), SHORT, *measured(SHORT))
    finish(store, "long", FULL, *measured(FULL), LONG, *measured(LONG))
    found = compare_sweeps(store, "short", "long")
    assert [(change.setting, change.values) for change in found.changes] == [("fine_tuning.epochs", ((1, 3),))]
    assert [(cell.side.settings["attack"], cell.side.settings["model.theta"], cell.same_jobs) for cell in found.cells] == [
        ("none", 1.0, True),
        ("none", 0.8, False),
        ("fgsm", 1.0, True),
        ("fgsm", 0.8, False),
    ]
    assert all((cell.difference is None) == cell.same_jobs for cell in found.cells)
    compared = found.cells[-1]
    assert compared.before is not None
    assert compared.after is not None
    assert (compared.before.model_key, compared.after.model_key) == (SHORT.key, LONG.key)
    assert "fine_tuning.epochs" not in found.identity
    assert "model.theta" in found.identity


def test_the_difference_is_paired_over_examples_and_combines_the_repeats(store: Store) -> None:
    jobs = {model.key: [attack_job(model, repeat=repeat, draws=2) for repeat in range(3)] for model in (SHORT, LONG)}
    generator = np.random.default_rng(0)
    flags = {key: generator.random((3, 2, 16)) < 0.5 for key in jobs}
    for name, model in (("short", SHORT), ("long", LONG)):
        finish(store, name, FULL, model)
        record_sweep(store, name=name, space_text="", jobs=[FULL, model, *jobs[model.key]])
        for job, correct in zip(jobs[model.key], flags[model.key], strict=True):
            record_result(store, job, flags_result(job, correct), attempt_id=None)
    (cell,) = compare_sweeps(store, "short", "long").cells
    of_batches = SharedDraws(batch=8, crafted=True)
    assert cell.difference == pytest.approx(paired_difference(flags[SHORT.key], flags[LONG.key], (of_batches, of_batches)))
    assert cell.before is not None
    assert cell.before.accuracy == pytest.approx(flags[SHORT.key].mean())


def test_fewer_examples_are_compared_with_the_first_of_more(store: Store) -> None:
    few, many = attack_job(SHORT, examples=8), attack_job(LONG, examples=16)
    for name, model, job, correct in (("few", SHORT, few, [True] * 8), ("many", LONG, many, [True] * 8 + [False] * 8)):
        finish(store, name, FULL, model)
        record_sweep(store, name=name, space_text="", jobs=[FULL, model, job])
        record_result(store, job, flags_result(job, correct), attempt_id=None)
    found = compare_sweeps(store, "few", "many")
    (cell,) = found.cells
    assert cell.examples == 8
    assert cell.after is not None
    assert cell.after.accuracy == 1.0
    assert cell.difference is not None
    assert cell.difference[0] == 0
    assert ("evaluation.examples", ((8, 16),)) in [(change.setting, change.values) for change in found.changes]


def test_what_only_one_sweep_has_is_kept_apart(store: Store) -> None:
    other = fine_tune_job(FULL, theta=0.5)
    finish(store, "first", FULL, *measured(FULL), SHORT, *measured(SHORT))
    finish(store, "second", FULL, *measured(FULL), other, *measured(other))
    cells = compare_sweeps(store, "first", "second").cells
    alone = [cell for cell in cells if cell.before is None or cell.after is None]
    assert sorted((cell.before is None, cell.side.settings["model.theta"]) for cell in alone) == [(False, 0.8)] * 2 + [(True, 0.5)] * 2
    assert all(cell.same_jobs for cell in cells if cell not in alone)


def test_transferred_examples_match_by_what_their_source_is(store: Store) -> None:
    for name, epochs in (("first", 1), ("second", 2)):
        source = pretrain_job(epochs=epochs)
        model = fine_tune_job(source)
        crafted = craft_job(source)
        finish(store, name, source, model, crafted, transfer_job(model, source=source, crafted=crafted))
    found = compare_sweeps(store, "first", "second")
    (cell,) = found.cells
    assert cell.difference is not None
    assert cell.side.settings["source"] == "theta=1"
    assert [(change.setting, change.values) for change in found.changes] == [("training.epochs", ((1, 2),))]


def test_only_what_the_spaces_hold_now_is_compared(store: Store) -> None:
    finish(store, "first", FULL, SHORT, *measured(SHORT))
    finish(store, "second", FULL, LONG, *measured(LONG))
    finish(store, "second", FULL, SHORT, *measured(SHORT))
    found = compare_sweeps(store, "first", "second")
    assert found.changes == ()
    assert all(cell.same_jobs for cell in found.cells)


def test_an_unknown_sweep_and_one_with_itself_are_errors(store: Store) -> None:
    finish(store, "first", FULL)
    with pytest.raises(UserError, match=r"^sweep 'x': one of first$"):
        compare_sweeps(store, "first", "x")
    with pytest.raises(UserError, match="must be two sweeps"):
        compare_sweeps(store, "first", "first")


def test_what_the_shown_rows_have_in_common_is_said_where_it_varies_in_the_sweeps(store: Store) -> None:
    finish(store, "both", FULL, *measured(FULL), SHORT, *measured(SHORT))
    finish(store, "full", FULL, *measured(FULL))
    found = compare_sweeps(store, "both", "full")
    shown = {every: str(render_comparison(found, "markdown", every_cell=every)) for every in (False, True)}
    assert "- in all rows: theta 1" in shown[False]
    assert "in all rows" not in shown[True]
