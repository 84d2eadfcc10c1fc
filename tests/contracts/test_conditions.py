"""What `results --where` selects, asked of real databases."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.store import ResultRow, Store, parse_conditions, record_result, result_rows
from tests.builders import attack_job, attack_settings, craft_job, evaluate_job, fine_tune_job, flags_result, pretrain_job, result_of
from tests.stored import record_sweep
from workers.errors import UserError


@pytest.fixture
def filled(store: Store) -> Store:
    full = pretrain_job()
    model = fine_tune_job(full)
    crafted = craft_job(model)
    dense = pretrain_job(tensorized=False, rank_fraction=1.0)
    strong = attack_settings(name="pgd", epsilon=16 / 255, epsilon_literal="16/255", steps=4)
    attacks = [attack_job(net, attack=attack) for net in (full, model, dense) for attack in (attack_settings(), strong)]
    jobs = [full, model, dense, *map(evaluate_job, (full, model, dense)), crafted, attack_job(model, crafted=crafted), *attacks]
    record_sweep(store, name="small", space_text="", jobs=jobs)
    for job in jobs:
        wrong = job.stage == "attack" and "16/255" in job.spec.model_dump_json()
        record_result(store, job, flags_result(job, [False] * 16) if wrong else result_of(job), attempt_id=None)
    return store


def cells(rows: list[ResultRow]) -> list[tuple[object, ...]]:
    return [(row.theta, row.rank_fraction, row.attack, row.knowledge) for row in rows]


def selected(store: Store, *texts: str) -> list[ResultRow]:
    return result_rows(store, "small", per_repeat=False, where=parse_conditions(texts))


@pytest.mark.parametrize(
    ("texts", "count"),
    [
        ((), 7),
        (("theta=0.8",), 3),
        (("theta!=0.8",), 4),
        (("theta<1", "knowledge=omniscient"), 1),
        (("attack=pgd,fgsm",), 7),
        (("attack!=pgd",), 4),
        (("epsilon<=8/255",), 4),
        (("epsilon=16/255",), 3),
        (("rank=none",), 2),
        (("rank!=none",), 5),
        (("rank!=0.5",), 2),
        (("tensorized=false",), 2),
        (("robust_accuracy<0.1",), 3),
        (("robust_accuracy>=0.5", "clean_accuracy=0.5"), 4),
        (("seed=0", "dataset=digits", "sweep=small"), 7),
        (("seed=1",), 0),
        (("source=none",), 7),
    ],
)
def test_conditions_keep_the_rows_that_meet_all_of_them(filled: Store, texts: tuple[str, ...], count: int) -> None:
    rows = selected(filled, *texts)
    assert len(rows) == count
    conditions = parse_conditions(texts)
    kept = [row for row in result_rows(filled, "small", per_repeat=False) if all(condition.holds(row) for condition in conditions)]
    assert rows == kept


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("adversarial_epsilon=24/255", 1),
        ("adversarial_epsilon=8/85", 1),  # by value, as an attack's
        ("adversarial_epsilon=[4/255, 16/255]", 1),
        ("adversarial_epsilon=[16/255, 4/255]", 0),
        ("adversarial_epsilon=[4/255,16/255],24/255", 2),
        ("adversarial_steps=5", 2),
        ("adversarial_steps!=5", 0),
    ],
)
def test_a_list_is_asked_for_as_it_is_shown(store: Store, text: str, count: int) -> None:
    """One value where all of its values are that one, else in brackets."""
    trained: dict[str, Any] = {"adversarial_training": "pgd", "adversarial_steps": (5, 5)}
    ranges = [("24/255", "24/255"), ("4/255", "16/255")]
    nets = [pretrain_job(**trained, adversarial_epsilon=ends) for ends in ranges]
    jobs = [*nets, *map(evaluate_job, nets), *map(attack_job, nets)]
    record_sweep(store, name="small", space_text="", jobs=jobs)
    for job in jobs:
        record_result(store, job, result_of(job), attempt_id=None)
    assert len(selected(store, text)) == count


def test_a_models_key_may_be_given_by_its_first_digits(filled: Store) -> None:
    key = selected(filled, "theta=0.8")[0].model_key
    assert {row.model_key for row in selected(filled, f"model_key={key[:10]}")} == {key}
    assert key not in {row.model_key for row in selected(filled, f"model_key!={key[:10]}")}


def test_a_worst_case_is_over_the_attacks_that_meet_the_conditions(filled: Store) -> None:
    every = result_rows(filled, "small", per_repeat=False, worst=True)
    of_fgsm = result_rows(filled, "small", per_repeat=False, worst=True, where=parse_conditions(["attack=fgsm", "theta=1"]))
    assert {row.epsilon_literal for row in every} == {"8/255", "16/255"}
    assert cells(of_fgsm) == [(1.0, 0.5, "worst_case", "randomized"), (1.0, None, "worst_case", "randomized")] or len(of_fgsm) == 2
    assert {row.epsilon_literal for row in of_fgsm} == {"8/255"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("theta", r"--where 'theta': must be FIELD=VALUE"),
        ("thta=1", r"'thta': no field of the results; one of abs_stepsize, "),
        ("attack=pgdd", r"'pgdd' is no attack; one of none, apgd_ce, "),
        ("theta=low", r"theta must be a number or a fraction"),
        ("tensorized=maybe", r"tensorized is true or false"),
        ("attack<pgd", r"attack is no number; = and != compare it"),
        ("job_keys=x", r"'job_keys': no field of the results"),
    ],
)
def test_a_condition_that_cannot_be_is_refused_with_the_legal_ones(text: str, message: str, filled: Store) -> None:
    with pytest.raises(UserError, match=message):
        selected(filled, text)


def test_a_field_without_value_meets_no_comparison_of_size(filled: Store) -> None:
    (condition,) = parse_conditions(["clean_accuracy>=0"])
    row = selected(filled)[0]
    assert condition.holds(row)
    assert not condition.holds(replace(row, clean_accuracy=None))
