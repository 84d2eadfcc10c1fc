"""Draws, the chances of single examples, and the spread over training seeds, as every store has them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from orchestrator.statistics.shared_luck import SharedDraws
from orchestrator.store import ResultRow, Store, accuracy_interval, interval_over_seeds, record_result, result_rows, success_probabilities
from orchestrator.store.connection.read_only_sql import ask
from orchestrator.store.reading.example_outcomes import example_numbers
from orchestrator.store.reading.smallest_perturbations import smallest_perturbations
from tests.builders import attack_job, attack_settings, evaluate_job, fine_tune_job, flags_result, pretrain_job, result_of
from tests.stored import record_sweep
from workers.artifacts.per_example import PerExample, Spent
from workers.errors import UserError
from workers.spec.job import Job
from workers.spec.stage_specs import TrainSpec

RNG = np.random.default_rng(0)


def flags(chance: float, *, draws: int = 3, examples: int = 16) -> NDArray[np.bool_]:
    return RNG.random((draws, examples)) < chance


def finish(store: Store, measured: dict[str, tuple[Job, NDArray[np.bool_]]], *models: Job) -> None:
    """Record the models and what was measured of them."""
    jobs = [job for job, _ in measured.values()]
    record_sweep(store, name="small", space_text="", jobs=[*models, *jobs])
    for model in models:
        record_result(store, model, result_of(model), attempt_id=None)
    for job, correct in measured.values():
        record_result(store, job, flags_result(job, correct), attempt_id=None)


def only(rows: list[ResultRow]) -> ResultRow:
    (row,) = rows
    return row


def by_draws(model: Job, *, repeats: int = 2, chance: float = 0.5) -> dict[str, tuple[Job, NDArray[np.bool_]]]:
    return {f"{model.key}{repeat}": (attack_job(model, repeat=repeat, draws=3), flags(chance)) for repeat in range(repeats)}


def test_accuracy_is_the_mean_over_draws_repeats_and_examples(store: Store) -> None:
    full = pretrain_job()
    model = fine_tune_job(full)
    measured = by_draws(model)
    correct = np.stack([found for _, found in measured.values()])
    clean = flags(0.9)
    finish(store, measured | {"clean": (evaluate_job(model, draws=3), clean)}, full, model)
    row = only(result_rows(store, "small", per_repeat=False))
    assert (row.draws, row.repeats, row.n_examples) == (3, 2, 16)
    assert (row.robust_accuracy, row.ci_low, row.ci_high) == accuracy_interval(correct, SharedDraws(batch=8, crafted=True))
    assert row.robust_accuracy == pytest.approx(correct.mean())
    assert row.clean_accuracy == pytest.approx(clean.mean())
    means = correct.mean(axis=(1, 2))
    assert row.se_draws == pytest.approx(abs(means[0] - means[1]) / 2)


def test_measurements_in_other_numbers_of_draws_have_rows_of_their_own(store: Store) -> None:
    full = pretrain_job()
    model = fine_tune_job(full)
    once = {"once": (attack_job(model), flags(0.5, draws=1)), "clean": (evaluate_job(model), flags(0.9, draws=1))}
    finish(store, by_draws(model) | once, full, model)
    rows = result_rows(store, "small", per_repeat=False)
    assert [(row.draws, row.repeats, row.clean_accuracy is None) for row in rows] == [(1, 1, False), (3, 2, True)]
    assert (rows[0].se_examples, rows[0].se_draws) == (None, None)


def test_an_attack_succeeds_on_an_example_as_often_as_its_evaluations_were_wrong(store: Store) -> None:
    full = pretrain_job()
    model = fine_tune_job(full)
    measured = by_draws(model, repeats=3)
    finish(store, measured, full, model)
    expected = 1 - np.concatenate([correct for _, correct in measured.values()]).mean(axis=0)
    row = only(result_rows(store, "small", per_repeat=False))
    assert success_probabilities(store, row) == pytest.approx(expected)
    (first, correct), *_ = measured.values()
    assert success_probabilities(store, [first.key]) == pytest.approx(1 - correct.mean(axis=0))
    assert 1 - success_probabilities(store, row).mean() == pytest.approx(row.robust_accuracy)


def test_jobs_without_flags_or_on_other_examples_have_no_common_probabilities(store: Store) -> None:
    model = pretrain_job()
    few, many = evaluate_job(model), evaluate_job(model, examples=32)
    finish(store, {"few": (few, flags(0.5)), "many": (many, flags(0.5, examples=32))}, model)
    with pytest.raises(UserError, match=f"job {model.key}: has no evaluations"):
        success_probabilities(store, [few.key, model.key])
    with pytest.raises(UserError, match="jobs on 16 and 32 examples"):
        success_probabilities(store, [few.key, many.key])
    with pytest.raises(UserError, match="no jobs"):
        success_probabilities(store, [])


def test_models_that_differ_in_their_seed_alone_are_one_row_over_seeds(store: Store) -> None:
    parents = [pretrain_job(seed=seed) for seed in (2, 0, 1)]
    models = [fine_tune_job(parent) for parent in parents]
    measured, chances = {}, (0.4, 0.5, 0.6)
    for model, chance in zip(models, chances, strict=True):
        measured |= by_draws(model, chance=chance)
    finish(store, measured, *parents, *models)
    by_seed = [np.stack([correct for job, correct in measured.values() if job.parents["model"] == model.key]) for model in models]
    row = only(result_rows(store, "small", per_repeat=False, over_seeds=True))
    assert (row.seed, row.seeds, row.repeats, row.draws, row.model_key) == (None, 3, 2, 3, models[1].key)
    assert set(row.job_keys) == {job.key for job, _ in measured.values()}
    assert (row.robust_accuracy, row.ci_low, row.ci_high) == pytest.approx(interval_over_seeds(by_seed))
    assert row.se_seeds is not None
    apart = result_rows(store, "small", per_repeat=False)
    assert [(row.seed, row.seeds, row.se_seeds) for row in apart] == [(seed, 1, None) for seed in (0, 1, 2)]
    in_repeats = result_rows(store, "small", per_repeat=True, over_seeds=True)
    assert [(row.repeat, row.repeats, row.seeds) for row in in_repeats] == [(0, 1, 3), (1, 1, 3)]


def test_clean_accuracies_are_pooled_over_seeds_too(store: Store) -> None:
    models = [pretrain_job(seed=seed) for seed in range(2)]
    right = (np.arange(16) < 12, np.arange(16) < 8)
    measured = {}
    for model, correct in zip(models, right, strict=True):
        measured |= {f"clean{model.key}": (evaluate_job(model), correct), model.key: (attack_job(model), correct[::-1])}
    finish(store, measured, *models)
    row = only(result_rows(store, "small", per_repeat=False, over_seeds=True))
    assert (row.clean_accuracy, row.robust_accuracy) == (0.625, 0.625)
    assert (row.se_draws, row.seeds, row.se_seeds) == (0.0, 2, pytest.approx(0.125))


def test_models_that_the_reported_settings_do_not_tell_apart_are_not_pooled(store: Store) -> None:
    def trained(learning_rate: float, seed: int) -> Job:
        job = pretrain_job(seed=seed)
        assert isinstance(job.spec, TrainSpec)
        training = job.spec.training.model_copy(update={"learning_rate": learning_rate})
        return Job(spec=job.spec.model_copy(update={"training": training}))

    parents = [trained(rate, seed) for rate in (0.1, 0.2) for seed in range(2)]
    models = [fine_tune_job(parent) for parent in parents]
    finish(store, {model.key: (attack_job(model), flags(0.5)) for model in models}, *parents, *models)
    rows = result_rows(store, "small", per_repeat=False, over_seeds=True)
    assert {(row.model_key, row.seeds) for row in rows} == {(models[0].key, 2), (models[2].key, 2)}


@pytest.mark.parametrize(("name", "errors"), [("fgsm", (True, True)), ("pgd", (False, False))])
def test_one_measurement_tells_its_errors_only_where_nothing_about_it_is_random(name: str, errors: tuple[bool, bool], store: Store) -> None:
    model = pretrain_job()
    attack = attack_settings(name=name)  # type: ignore[arg-type]
    finish(store, {name: (attack_job(model, attack=attack), flags(0.5, draws=1))}, model)
    row = only(result_rows(store, "small", per_repeat=False))
    assert (row.se_examples is not None, row.se_draws is not None) == errors


def test_how_loud_waveforms_are_over_their_perturbations_is_stored_and_averaged_over_repeats(store: Store) -> None:
    model = pretrain_job()
    attacks = [attack_job(model, attack=attack_settings(epsilon=epsilon), repeat=repeat) for epsilon in (0.1, 0.2) for repeat in range(2)]
    record_sweep(store, name="small", space_text="", jobs=[model, *attacks])
    record_result(store, model, result_of(model), attempt_id=None)
    for job, snr_db in zip(attacks, (30.0, 32.0, None, None), strict=True):
        record_result(store, job, flags_result(job, metrics={"snr_db": snr_db}), attempt_id=None)
    assert [row.metrics["snr_db"] for row in result_rows(store, "small", per_repeat=False)] == [31.0, None]


def test_numbers_of_examples_and_what_an_attack_cost_are_kept_next_to_the_flags(store: Store) -> None:
    model = pretrain_job()
    attack, clean = attack_job(model), evaluate_job(model)
    classes, margins, sizes = np.arange(16), np.linspace(-2, 2, 16), np.full(16, np.inf)
    finish(store, {}, model)
    record_sweep(store, name="small", space_text="", jobs=[model, attack, clean])
    spent = Spent(forward=160, backward=80, queries=80)
    attacked = flags_result(attack, examples=PerExample.pack(classes, margins, sizes), spent=spent)
    record_result(store, attack, attacked, attempt_id=None)
    record_result(store, clean, flags_result(clean, examples=PerExample.pack(classes, margins)), attempt_id=None)
    row = only(result_rows(store, "small", per_repeat=False))
    assert (row.forward_passes, row.backward_passes, row.queries) == (160, 80, 80)
    assert ask(store, "SELECT forward_passes, backward_passes, queries FROM v_results").rows == ((160, 80, 80),)
    found = example_numbers(store, attack.key)
    assert np.array_equal(found.classes, classes)
    assert found.margins == pytest.approx(margins, abs=1e-3)
    assert np.isinf(found.sizes).all()
    assert example_numbers(store, clean.key).sizes is None
    with pytest.raises(UserError, match=f"job {model.key}: has no evaluations"):
        example_numbers(store, model.key)


def test_smallest_perturbations_are_those_of_attacks_that_look_for_them_on_models_that_do_not_draw(store: Store) -> None:
    model, sketched = pretrain_job(), fine_tune_job(pretrain_job())
    fab = attack_settings(name="fab", steps=5, norm="l2")
    jobs = [attack_job(model, attack=fab, repeat=repeat) for repeat in (0, 1)]
    others = [attack_job(model), attack_job(sketched, attack=fab), attack_job(model, attack=fab.model_copy(update={"early_stop": True}))]
    record_sweep(store, name="sizes", space_text="", jobs=[model, sketched, *jobs, *others])
    for job in (model, sketched):
        record_result(store, job, result_of(job), attempt_id=None)
    for factor, job in enumerate([*jobs, *others], 1):
        numbers = PerExample.pack(np.zeros(16, dtype=int), np.zeros(16), np.arange(16) / factor)
        record_result(store, job, flags_result(job, examples=numbers), attempt_id=None)
    (found,) = smallest_perturbations(store, result_rows(store, "sizes", per_repeat=False))
    assert (found.row.attack, found.row.repeats, found.row.early_stop) == ("fab", 2, False)
    assert found.sizes == pytest.approx(np.arange(16) / 2, rel=1e-3)
