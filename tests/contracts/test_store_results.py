from dataclasses import fields

import numpy as np
import pytest
from sqlalchemy import event

from orchestrator.naming.own_settings import value_of
from orchestrator.statistics.shared_luck import SharedDraws
from orchestrator.store import ResultRow, Store, accuracy_interval, parse_conditions, record_result, result_rows, standard_errors
from orchestrator.store.connection.read_only_sql import ask
from orchestrator.store.reading.measured import Setting
from orchestrator.store.reading.worst_cases import with_single_attacks
from orchestrator.store.schema.result_tables import AttackResultRecord
from orchestrator.tables.selection import pivoted
from tests.builders import (
    RANKS,
    attack_job,
    attack_settings,
    craft_job,
    defend_job,
    evaluate_job,
    fine_tune_job,
    flags_result,
    pretrain_job,
    result_of,
    small_plan,
    transfer_job,
)
from tests.stored import record_sweep
from workers.errors import UserError
from workers.registry import ATTACKS
from workers.spec.attack import AttackSettings
from workers.spec.fields import SignGradientName
from workers.spec.job import Job
from workers.spec.stage_specs import TrainSpec


def finish(store: Store, *jobs: Job, sweep: str = "small") -> None:
    record_sweep(store, name=sweep, space_text="", jobs=jobs)
    for job in jobs:
        record_result(store, job, result_of(job), attempt_id=None)


def correct(n: int) -> list[bool]:
    return [index < n for index in range(16)]


def attacked_and_clean(store: Store) -> list[tuple[str, int, float | None]]:
    """Each row's attack, batch size and clean accuracy."""
    rows = result_rows(store, "small", per_repeat=False, every_space=True)
    return [(row.attack, row.evaluation_batch_size, row.clean_accuracy) for row in rows]


def test_no_results_no_rows(store: Store) -> None:
    assert result_rows(store, None, per_repeat=False) == []
    record_sweep(store, name="small", space_text="", jobs=small_plan())
    assert result_rows(store, "small", per_repeat=False) == []


def test_an_epsilon_is_shown_as_each_sweep_writes_it_and_found_by_its_value(store: Store) -> None:
    model = pretrain_job()
    attacks = {
        literal: attack_job(model, attack=attack_settings(epsilon_literal=literal)) for literal in ("16/510", "8/255", repr(8 / 255))
    }
    assert len({job.key for job in attacks.values()}) == 1
    for sweep, literal in (("theirs", "16/510"), ("mine", "8/255"), ("floats", repr(8 / 255)), ("changed", "8/255"), ("changed", "16/510")):
        finish(store, model, attacks[literal], sweep=sweep)
    twice = attack_job(model, attack=attack_settings(name="noise", epsilon_literal="16/510"))
    finish(store, model, attacks[repr(8 / 255)], twice, sweep="both")
    expected = {"mine": "8/255", "theirs": "16/510", "floats": repr(8 / 255), "changed": "16/510", "both": "8/255"}
    for where in ("epsilon=8/255", "epsilon=16/510", f"epsilon={8 / 255}"):
        found = result_rows(store, None, per_repeat=False, where=parse_conditions([where]))
        assert {row.sweep: row.epsilon_literal for row in found} == expected
    statement = "SELECT DISTINCT sweep, epsilon_literal FROM v_results WHERE epsilon = 8/255.0"
    assert dict(ask(store, statement).rows) == expected
    assert set(ask(store, "SELECT DISTINCT epsilon_literal FROM v_worst_case").rows) == {("8/255",)}
    table = pivoted(result_rows(store, None, per_repeat=False), "epsilon")
    assert sum(column.name in attacks for column in table.columns) == 1


def test_an_unknown_sweep_is_an_error_that_names_the_known_ones(store: Store) -> None:
    with pytest.raises(UserError, match=r"^sweep 'x': the store holds no sweeps yet$"):
        result_rows(store, "x", per_repeat=False)
    for name in ("b", "a"):
        record_sweep(store, name=name, space_text="", jobs=[])
    with pytest.raises(UserError, match=r"^sweep 'x': one of a, b$"):
        result_rows(store, "x", per_repeat=False)


def test_repeats_are_aggregated_into_one_row_with_the_clean_accuracy_with_them(store: Store) -> None:
    full = pretrain_job()
    model = fine_tune_job(full, theta=0.8)
    clean = [evaluate_job(model, repeat=repeat) for repeat in range(2)]
    attacks = [attack_job(model, repeat=repeat) for repeat in range(2)]
    finish(store, full, model)
    record_sweep(store, name="small", space_text="", jobs=[full, model, *clean, *attacks])
    for job, right in zip(clean + attacks, (16, 12, 8, 4), strict=True):
        record_result(store, job, flags_result(job, correct(right)), attempt_id=None)
    (row,) = result_rows(store, "small", per_repeat=False)
    draws = SharedDraws(batch=row.evaluation_batch_size, crafted=True)
    robust = accuracy_interval(np.array([[correct(8)], [correct(4)]]), draws)
    natural = accuracy_interval(np.array([[correct(16)], [correct(12)]]), draws)
    parts = standard_errors([np.array([[correct(8)], [correct(4)]])], random=True)
    assert row == ResultRow(
        sweep="small",
        model_key=model.key,
        job_keys=tuple(job.key for job in attacks),
        stage="fine_tune",
        dataset="digits",
        train_examples=None,
        data_settings={},
        modality="image",
        n_classes=10,
        low=0.0,
        high=1.0,
        model="resnet18",
        model_settings={"width": 4},
        model_options={
            "factorization": "tucker",
            "tensorize_first": False,
            "tensorize_linear": False,
            "tensorize_attention": False,
            "tensorize_transposed": False,
            "execution": "auto",
            "all_zero": "keep",
            "draws": "batch",
            "init": "random",
            "normalisation": "data",
            "weights": None,
            "weights_map": None,
        },
        tensorized=True,
        theta=0.8,
        rank=RANKS,
        rank_fraction=0.5,
        rank_kind="channels",
        rank_fractions=None,
        sketch_modes="channels",
        rescale=True,
        binary=False,
        randomised=True,
        training=row.training,
        fine_tuning=row.fine_tuning,
        adversarial_training="none",
        defence="none",
        defence_settings=None,
        seed=0,
        epochs=1,
        n_parameters=1234,
        attack="fgsm",
        knowledge="randomized",
        source_key=None,
        source=None,
        norm="linf",
        epsilon=8 / 255,
        epsilon_literal="8/255",
        attack_settings={"loss": "ce"},
        takes_gradients=True,
        random_start=False,
        selects=False,
        one_step=True,
        loss="ce",
        target="none",
        restarts=1,
        eot_samples=1,
        selection_draws=1,
        early_stop=False,
        backend="native",
        sign_gradient="identity",
        n_examples=16,
        evaluation_batch_size=8,
        example_order="balanced",
        draws=1,
        repeat=None,
        repeats=2,
        seeds=1,
        attacks=1,
        clean_accuracy=natural[0],
        clean_ci_low=natural[1],
        clean_ci_high=natural[2],
        robust_accuracy=robust[0],
        ci_low=robust[1],
        ci_high=robust[2],
        forward_passes=None,
        backward_passes=None,
        queries=None,
        metrics={},
        se_examples=parts.se_examples,
        se_draws=0.125,
        se_seeds=None,
        verdict="suspicious",
        reasons=row.reasons,
    )
    assert (row.robust_accuracy, row.clean_accuracy) == (0.375, 0.875)
    assert (row.training["epochs"], row.training["loss"], row.training["label_smoothing"]) == (1, "cross_entropy", 0.0)
    assert row.fine_tuning == row.training


def test_attacks_that_differ_in_the_signs_gradient_alone_have_rows_of_their_own(store: Store) -> None:
    model = pretrain_job(binary=True)
    names: list[SignGradientName] = ["identity", "tanh", "tanh075"]
    attacks = [attack_job(model, attack=attack_settings(sign_gradient=name), repeat=repeat) for name in names for repeat in range(2)]
    finish(store, model, evaluate_job(model), *reversed(attacks))
    rows = result_rows(store, "small", per_repeat=False)
    assert [(row.binary, row.sign_gradient, row.repeats) for row in rows] == [(True, name, 2) for name in names]
    assert {row.clean_accuracy for row in rows} == {0.5}


# An attack that has the setting, and two values of it.
TWO_VALUES: dict[str, tuple[str, tuple[object, object]]] = {
    "norm": ("pgd", ("linf", "l2")),
    "epsilon": ("pgd", (4 / 255, 8 / 255)),
    "steps": ("pgd", (10, 20)),
    "abs_stepsize": ("pgd", (1 / 255, 2 / 255)),
    "loss": ("pgd", ("ce", "margin")),
    "precision": ("pgd", ("bf16", "float32")),
    "momentum": ("mi_fgsm", (0.5, 1.0)),
    "samples": ("smoothed_pgd", (5, 10)),
    "sigma": ("smoothed_pgd", (0.25, 0.5)),
    "target": ("pgd", ("next", "none")),
    "restarts": ("pgd", (1, 3)),
    "eot_samples": ("pgd", (1, 4)),
    "selection_draws": ("apgd_ce", (1, 8)),
    "early_stop": ("pgd", (False, True)),
    "backend": ("pgd", ("foolbox", "native")),
    "sign_gradient": ("pgd", ("identity", "tanh")),
    "classes": ("fab", (5, 9)),
    "first_weight": ("carlini_wagner", (0.1, 0.2)),
    "searches": ("carlini_wagner", (3, 6)),
    "stepsize": ("carlini_wagner", (0.01, 0.02)),
    "schedule": ("square", ("paper", "scaled")),
    "version": ("autoattack", ("rand", "standard")),
}


def test_every_setting_of_an_attack_is_stored_tells_rows_apart_and_is_reported() -> None:
    settings = set(AttackSettings.model_fields) - {"name", "settings"}
    assert settings <= set(AttackResultRecord.__table__.columns.keys())
    assert settings - {"epsilon_literal"} <= {field.name for field in fields(Setting)}
    assert settings <= {field.name for field in fields(ResultRow)}
    own = {name for attack in ATTACKS for name in attack.settings.model_fields}
    assert (settings - {"epsilon_literal"}) | own == set(TWO_VALUES)


@pytest.mark.parametrize("setting", TWO_VALUES)
def test_attacks_that_differ_in_one_setting_alone_have_rows_of_their_own(setting: str, store: Store) -> None:
    name, values = TWO_VALUES[setting]
    model = pretrain_job(binary=setting == "sign_gradient")
    knowledge = "eot" if ATTACKS[name].facts.takes_gradients else "randomized"
    attacks = [
        attack_job(model, attack=attack_settings(**{"name": name, setting: value}), knowledge=knowledge, repeat=repeat)
        for value in values
        for repeat in range(2)
    ]
    finish(store, model, *reversed(attacks))
    rows = result_rows(store, "small", per_repeat=False)
    assert [(value_of(row, setting), row.repeats) for row in rows] == [(value, 2) for value in values]


def test_per_repeat_gives_one_row_a_repeat_with_the_same_repeats_clean_accuracy(store: Store) -> None:
    parent = pretrain_job()
    model = fine_tune_job(parent)
    clean = [evaluate_job(model, repeat=repeat) for repeat in range(2)]
    attacks = [attack_job(model, repeat=repeat) for repeat in range(3)]
    record_sweep(store, name="small", space_text="", jobs=[parent, model, *clean, *attacks])
    record_result(store, model, result_of(model), attempt_id=None)
    for job, right in zip(clean + attacks, (16, 12, 8, 4, 0), strict=True):
        record_result(store, job, flags_result(job, correct(right)), attempt_id=None)
    rows = result_rows(store, "small", per_repeat=True)
    assert [(row.repeat, row.repeats, row.clean_accuracy, row.robust_accuracy) for row in rows] == [
        (0, 1, 1.0, 0.5),
        (1, 1, 0.75, 0.25),
        (2, 1, None, 0.0),
    ]
    assert [row.job_keys for row in rows] == [(job.key,) for job in attacks]


def test_a_model_without_randomness_has_one_clean_accuracy_for_all_repeats_of_an_attack(store: Store) -> None:
    model = pretrain_job()
    attacks = [attack_job(model, repeat=repeat) for repeat in range(2)]
    finish(store, model, evaluate_job(model), *attacks)
    rows = result_rows(store, "small", per_repeat=True)
    assert [(row.repeat, row.clean_accuracy) for row in rows] == [(0, 0.5), (1, 0.5)]


def test_the_clean_accuracy_is_of_the_same_examples_in_batches_of_the_same_size(store: Store) -> None:
    model = pretrain_job()
    finish(store, model, evaluate_job(model, batch_size=4), attack_job(model, batch_size=8))
    assert attacked_and_clean(store) == [("none", 4, 0.5), ("fgsm", 8, None)]
    finish(store, model, evaluate_job(model, batch_size=8))
    assert attacked_and_clean(store) == [("none", 4, 0.5), ("fgsm", 8, 0.5)]


def test_a_clean_accuracy_over_more_examples_than_the_attacks_is_not_hidden_by_them(store: Store) -> None:
    model = pretrain_job()
    finish(store, model, evaluate_job(model), attack_job(model))
    evaluation = evaluate_job(model, examples=32)
    record_sweep(store, name="small", space_text="", jobs=[evaluation])
    record_result(store, evaluation, flags_result(evaluation, [True] * 32), attempt_id=None)
    assert attacked_and_clean(store) == [("none", 8, 1.0), ("fgsm", 8, 0.5)]


def test_a_model_without_attack_has_a_row_without_attack(store: Store) -> None:
    model = pretrain_job(tensorized=False)
    evaluation = evaluate_job(model)
    finish(store, model, evaluation)
    (row,) = result_rows(store, "small", per_repeat=False)
    assert (row.attack, row.knowledge, row.epsilon, row.epsilon_literal) == ("none", "none", 0.0, "0")
    assert (row.loss, row.target, row.backend, row.restarts, row.eot_samples) == ("none", "none", "none", 0, 0)
    assert (row.clean_accuracy, row.robust_accuracy, row.ci_low, row.ci_high) == (0.5, None, None, None)
    assert row.job_keys == (evaluation.key,)
    assert (row.rank, row.rank_fraction) == (None, None)


def test_a_result_waits_for_its_model(store: Store) -> None:
    model = pretrain_job()
    attack = attack_job(model)
    record_sweep(store, name="small", space_text="", jobs=[model, attack])
    record_result(store, attack, result_of(attack), attempt_id=None)
    assert result_rows(store, "small", per_repeat=False) == []
    record_result(store, model, result_of(model), attempt_id=None)
    assert len(result_rows(store, "small", per_repeat=False)) == 1


def test_all_sweeps_have_a_row_each_for_a_shared_job_with_their_own_clean_accuracy(store: Store) -> None:
    model = pretrain_job()
    evaluation, attack = evaluate_job(model), attack_job(model)
    finish(store, model, evaluation, attack, sweep="b")
    finish(store, model, attack, sweep="a")
    rows = result_rows(store, None, per_repeat=False)
    assert [(row.sweep, row.clean_accuracy) for row in rows] == [("a", None), ("b", 0.5)]
    assert [row.sweep for row in result_rows(store, "b", per_repeat=False)] == ["b"]


def test_results_of_an_older_space_are_shown_when_asked_for(store: Store) -> None:
    model = pretrain_job()
    finish(store, model, attack_job(model))
    record_sweep(store, name="small", space_text="", jobs=[])
    assert result_rows(store, "small", per_repeat=False) == []
    assert len(result_rows(store, "small", per_repeat=False, every_space=True)) == 1


def test_rows_come_in_the_promised_order(store: Store) -> None:
    dense, full, wide = pretrain_job(tensorized=False), pretrain_job(), pretrain_job(width=8)
    low_rank = pretrain_job(rank_fraction=0.25)
    models = [
        dense,
        low_rank,
        full,
        defend_job(full, "feature_squeezing", bit_depth=3),
        defend_job(full, "feature_squeezing"),
        defend_job(full, "random_resize_pad"),
        fine_tune_job(full, theta=0.9),
        fine_tune_job(full, theta=0.5),
        pretrain_job(seed=1),
        pretrain_job(binary=True),
        wide,
    ]
    crafted = craft_job(full)
    names: list[str] = ["fgsm", "bim", "pgd"]
    settings = [attack_settings(name=name, epsilon=e) for name in names for e in (2 / 255, 8 / 255)]
    attacks = [attack_job(full, attack=attack) for attack in settings]
    omniscient = attack_job(full, crafted=crafted)
    adaptive = attack_job(full, knowledge="eot")
    theirs = craft_job(dense)
    transferred = transfer_job(full, crafted=theirs, source=dense)
    attacked = [transferred, *attacks, adaptive, omniscient]
    finish(store, *reversed([*models, crafted, theirs, *attacked, *(evaluate_job(model) for model in models)]))
    rows = result_rows(store, "small", per_repeat=False)
    undefended = [row for row in rows if row.attack == "none" and not row.binary and row.defence == "none"]
    seen = [(value_of(row, "width"), row.rank_fraction, row.theta, row.seed) for row in undefended]
    assert seen == [(4, None, 1.0, 0), (4, 0.25, 1.0, 0), (4, 0.5, 1.0, 1), (4, 0.5, 0.9, 0), (4, 0.5, 0.5, 0), (8, 0.5, 1.0, 0)]
    assert [value_of(row, "width") for row in rows if row.binary] == [4]
    assert [row.binary for row in rows if value_of(row, "width") == 4] == [*[False] * (len(rows) - 2), True]
    alike = {"model_settings": {"width": 4}, "rank_fraction": 0.5, "theta": 1.0, "binary": False}
    defences = [row.defence_settings for row in rows if all(getattr(row, name) == value for name, value in alike.items())]
    squeezed = [{"bit_depth": bits, "median_size": 2} for bits in (3, 5)]
    assert defences == [*[None] * (len(attacked) + 1), *squeezed, {"pad_factor": 1.107}]
    of_full = [row.job_keys[0] for row in rows if row.model_key == full.key]
    assert of_full == [job.key for job in attacked]


def plain(adversarial_training: str = "pgd", **settings: bool) -> Job:
    """A model without a sketch, trained adversarially or not."""
    job = pretrain_job(**settings)
    assert isinstance(job.spec, TrainSpec)
    training = job.spec.training.model_copy(update={"adversarial_training": adversarial_training})
    return job.model_copy(update={"spec": job.spec.model_copy(update={"training": training})})


def transferred(model: Job, *sources: Job) -> list[Job]:
    """The sources, and FGSM from each of them on the model."""
    crafts = [(source, craft_job(source)) for source in sources]
    return [*sources, *(job for source, made in crafts for job in (made, transfer_job(model, crafted=made, source=source)))]


def test_transferred_examples_have_a_row_for_each_source_that_says_what_is_different_about_it_the_nearest_first(store: Store) -> None:
    parent, undefended, dense = plain(), plain("none"), plain("none", tensorized=False)
    sketched = fine_tune_job(parent)
    assert isinstance(sketched.spec, TrainSpec)
    assert isinstance(parent.spec, TrainSpec)
    spec = sketched.spec.model_copy(update={"training": parent.spec.training, "stage": "fine_tune"})
    sketched = Job(spec=spec, parents=sketched.parents)
    model = defend_job(sketched, "feature_squeezing")
    repeats = [transfer_job(model, crafted=craft_job(parent), source=parent, repeat=1)]
    finish(store, sketched, model, *transferred(model, dense, undefended, parent), *repeats, attack_job(model))
    rows = result_rows(store, "small", per_repeat=False)
    assert [(row.knowledge, row.source_key, row.source, row.repeats) for row in rows] == [
        ("transfer", parent.key, "theta=1 defence=none", 2),
        ("transfer", undefended.key, "theta=1 undefended", 1),
        ("transfer", dense.key, "dense undefended", 1),
        ("randomized", None, None, 1),
    ]


def test_models_of_several_seeds_are_one_row_though_each_had_its_own_source(store: Store) -> None:
    parents = [pretrain_job(seed=seed) for seed in range(2)]
    models = [fine_tune_job(parent) for parent in parents]
    finish(store, *parents, *models, *(job for model, parent in zip(models, parents, strict=True) for job in transferred(model, parent)))
    (row,) = result_rows(store, "small", per_repeat=False, over_seeds=True)
    assert (row.source_key, row.source, row.seeds, row.seed) == (parents[0].key, "theta=1", 2, None)


def test_a_source_that_is_not_recorded_yet_or_differs_in_nothing_of_note_is_called_by_its_key(store: Store) -> None:
    model, like = pretrain_job(), pretrain_job(epochs=2)
    other = pretrain_job(seed=1)
    jobs = [model, *transferred(model, like, other)]
    record_sweep(store, name="small", space_text="", jobs=jobs)
    for job in jobs:
        if job != other:
            record_result(store, job, result_of(job), attempt_id=None)
    assert {row.source_key: row.source for row in result_rows(store, "small", per_repeat=False)} == {
        job.key: job.key[:8] for job in (like, other)
    }
    record_result(store, other, result_of(other), attempt_id=None)
    assert {row.source for row in result_rows(store, "small", per_repeat=False)} == {like.key[:8], "seed=1"}


def test_models_without_adversarial_training_come_before_the_others_of_their_defence_and_linf_before_l2(store: Store) -> None:
    def trained(adversarial_training: str, seed: int) -> Job:
        job = pretrain_job(seed=seed)
        assert isinstance(job.spec, TrainSpec)
        training = job.spec.training.model_copy(update={"adversarial_training": adversarial_training})
        return job.model_copy(update={"spec": job.spec.model_copy(update={"training": training})})

    models = [trained("none", 0), trained("none", 1), trained("pgd", 0), trained("r_fgsm", 0)]
    defended = [defend_job(model, "feature_squeezing") for model in models]
    epsilons = [("linf", 8 / 255), ("l2", 2 / 255)]
    attacks = [attack_job(model, attack=attack_settings(norm=n, epsilon=e)) for model in models + defended for n, e in epsilons]
    finish(store, *reversed([*models, *defended, *attacks]))
    assert [row.job_keys[0] for row in result_rows(store, "small", per_repeat=False)] == [job.key for job in attacks]


def test_the_number_of_statements_does_not_grow_with_the_results(store: Store) -> None:
    statements: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    model = pretrain_job()
    finish(store, model, *(attack_job(model, repeat=repeat) for repeat in range(20)))
    statements.clear()
    assert len(result_rows(store, "small", per_repeat=True)) == 20
    assert sum(statement.lstrip().startswith(("SELECT", "WITH")) for statement in statements) <= 5


def fooled(*places: int) -> list[bool]:
    """The flags of sixteen examples of which those at `places` were fooled."""
    return [place not in places for place in range(16)]


def test_the_worst_case_of_a_deterministic_model_counts_what_any_attack_fooled(store: Store) -> None:
    model = pretrain_job()
    crafted = craft_job(model)
    finish(store, model, evaluate_job(model), crafted)
    strong = attack_settings(epsilon=16 / 255, epsilon_literal="16/255")
    attacked = [
        (attack_job(model), fooled(0, 1)),
        (attack_job(model, attack=attack_settings(name="pgd"), repeat=0), fooled(1, 2)),
        (attack_job(model, attack=attack_settings(name="pgd"), repeat=1), fooled(3)),
        (attack_job(model, crafted=crafted), fooled(9)),
        (attack_job(model, attack=strong), fooled(*range(16))),
    ]
    record_sweep(store, name="small", space_text="", jobs=[job for job, _ in attacked])
    for job, flags in attacked:
        record_result(store, job, flags_result(job, flags), attempt_id=None)
    rows = result_rows(store, "small", per_repeat=False, worst=True, every_space=True)
    found = [(row.knowledge, row.epsilon_literal, row.attacks, row.repeats, row.robust_accuracy) for row in rows]
    assert found == [
        ("randomized", "8/255", 2, 1, 12 / 16),
        ("randomized", "16/255", 1, 1, 0.0),
        ("omniscient", "8/255", 1, 1, 15 / 16),
        ("any", "8/255", 3, 1, 11 / 16),
    ]
    assert {(row.attack, row.norm, row.clean_accuracy, row.n_examples) for row in rows} == {("worst_case", "linf", 0.5, 16)}
    assert all(row.ci_low is not None and row.ci_low <= row.robust_accuracy <= row.ci_high for row in rows)  # type: ignore[operator]
    statement = "SELECT knowledge, epsilon_literal, attacks, accuracy FROM v_worst_case ORDER BY epsilon, knowledge"
    assert ask(store, statement).rows == (
        ("any", "8/255", 3, 11 / 16),
        ("omniscient", "8/255", 1, 15 / 16),
        ("randomized", "8/255", 2, 12 / 16),
        ("randomized", "16/255", 1, 0.0),
    )


def test_measurements_on_examples_in_another_order_are_never_taken_together(store: Store) -> None:
    model = pretrain_job()
    finish(store, model, evaluate_job(model))
    jobs = [attack_job(model), attack_job(model, order="file"), evaluate_job(model, order="file"), attack_job(model, examples=None)]
    record_sweep(store, name="small", space_text="", jobs=jobs)
    for job, flags in zip(jobs, [fooled(0), fooled(1, 2), fooled(3), [True] * 20], strict=True):
        record_result(store, job, flags_result(job, flags), attempt_id=None)
    found = {}
    for worst in (False, True):
        rows = result_rows(store, "small", per_repeat=False, worst=worst, every_space=True)
        found[worst] = {(row.example_order, row.n_examples): (row.clean_accuracy, row.robust_accuracy) for row in rows}
    assert found[False] == found[True] == {("balanced", 16): (8 / 16, 15 / 16), ("file", 16): (15 / 16, 14 / 16), ("file", 20): (None, 1.0)}
    (row,) = result_rows(store, "small", per_repeat=False, where=parse_conditions(["evaluation.order=balanced"]), every_space=True)
    assert row.example_order == "balanced"
    stored = ask(store, "SELECT example_order, n_examples, accuracy FROM v_worst_case ORDER BY n_examples, example_order").rows
    assert stored == (("balanced", 16, 15 / 16), ("file", 16, 14 / 16), ("file", 20, 1.0))
    assert ask(store, "SELECT clean_accuracy FROM v_results WHERE example_order = 'file' AND n_examples = 16").rows == ((15 / 16,),)


def test_the_worst_case_of_a_random_model_is_scored_on_draws_that_did_not_choose_the_attack(store: Store) -> None:
    full = pretrain_job()
    model = fine_tune_job(full)
    pgd = attack_settings(name="pgd")
    once, other, thrice = (attack_job(model, draws=1), attack_job(model, attack=pgd, draws=1), attack_job(model, draws=3))
    finish(store, full, model)
    record_sweep(store, name="small", space_text="", jobs=[once, other, thrice])
    for job, flags in ((once, fooled(0)), (other, fooled(1)), (thrice, [fooled(0), fooled(0), fooled(5)])):
        record_result(store, job, flags_result(job, flags), attempt_id=None)
    rows = {row.draws: row for row in result_rows(store, "small", per_repeat=False, worst=True)}
    assert (rows[1].robust_accuracy, rows[1].ci_low) == (None, None)
    assert rows[3].robust_accuracy == pytest.approx(15 / 16)
    assert ask(store, "SELECT draws, accuracy FROM v_worst_case").rows == ((3, pytest.approx(15 / 16)),)
    shown, notes = with_single_attacks(list(rows.values()), lambda: result_rows(store, "small", per_repeat=False))
    assert [(row.attack, row.draws) for row in shown] == [("fgsm", 1), ("pgd", 1), ("worst_case", 3)]
    assert "too few draws to choose the worst attack per example: 1; at least 2" in notes[0]


def test_no_knowledge_alone_counts_stronger_than_all_together(store: Store) -> None:
    full = pretrain_job()
    model = fine_tune_job(full)
    crafted = craft_job(model)
    finish(store, full, model, crafted)
    lucky = np.random.default_rng(1).random((2, 3, 16)) < 0.5  # what the others choose does badly in each repeat: 57 % against 44 and 50
    jobs = [[attack_job(model, crafted=source, repeat=repeat) for repeat in range(3)] for source in (crafted, None)]
    record_sweep(store, name="small", space_text="", jobs=[job for repeats in jobs for job in repeats])
    for repeats, by_repeat in zip(jobs, lucky, strict=True):
        for job, flags in zip(repeats, by_repeat, strict=True):
            record_result(store, job, flags_result(job, flags.tolist()), attempt_id=None)
    found = {row.knowledge: row.robust_accuracy for row in result_rows(store, "small", per_repeat=False, worst=True)}
    assert found == pytest.approx({"any": 25 / 48, "omniscient": 25 / 48, "randomized": 25 / 48})
    assert found["any"] <= min(found["omniscient"], found["randomized"])  # type: ignore[type-var, operator]
    assert dict(ask(store, "SELECT knowledge, accuracy FROM v_worst_case").rows) == pytest.approx(found)


def test_worst_cases_are_there_whichever_of_model_and_attack_is_recorded_first(store: Store) -> None:
    model = pretrain_job()
    attack = attack_job(model)
    record_sweep(store, name="small", space_text="", jobs=[model, attack])
    record_result(store, attack, flags_result(attack), attempt_id=None)
    assert ask(store, "SELECT * FROM v_worst_case").rows == ()
    record_result(store, model, result_of(model), attempt_id=None)
    record_result(store, attack, flags_result(attack), attempt_id=None)
    assert ask(store, "SELECT knowledge, attacks, accuracy FROM v_worst_case").rows == (("randomized", 1, 0.5),)
