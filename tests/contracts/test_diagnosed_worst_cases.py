"""Attacks that diagnoses made count in the worst cases of their models."""

from orchestrator.store import Store, parse_conditions, record_result, result_rows
from orchestrator.store.connection.read_only_sql import ask
from tests.builders import (
    attack_job,
    attack_settings,
    craft_job,
    diagnose_job,
    diagnosis_result,
    evaluate_job,
    flags_result,
    pretrain_job,
    result_of,
)
from tests.stored import record_sweep
from workers.spec.diagnosis import probes
from workers.spec.job import Job
from workers.spec.stage_specs import DiagnoseSpec


def finish(store: Store, *jobs: Job) -> None:
    record_sweep(store, name="small", space_text="", jobs=jobs)
    for job in jobs:
        record_result(store, job, result_of(job), attempt_id=None)


def fooled(*places: int) -> list[bool]:
    """The flags of sixteen examples of which those at `places` were fooled."""
    return [place not in places for place in range(16)]


def diagnosed(store: Store, model: Job, **right: float) -> Job:
    """Record a diagnosis of eight examples of the model, in which each probe leaves all of them right, or that share of them."""
    job = diagnose_job(model, examples=8)
    assert isinstance(job.spec, DiagnoseSpec)
    shares = {probe.name: right.get(probe.name, 1.0) for probe in probes(job.spec.diagnosis, half_range=0.5, randomised=False)}
    record_sweep(store, name="diagnosed", space_text="", jobs=[job])
    record_result(store, job, diagnosis_result(job, right=shares), attempt_id=None)
    return job


def test_what_a_diagnosis_finds_counts_in_the_worst_case_of_attacks_in_the_same_ball(store: Store) -> None:
    """Attacks of a diagnosis have no rows of their own; on examples that they were not made on, and in other balls, nothing changes."""
    model = pretrain_job()
    wider = attack_job(model, attack=attack_settings(epsilon=16 / 255, epsilon_literal="16/255"))
    filed = attack_job(model, order="file")
    attacks = [attack_job(model), wider, filed]
    finish(store, model, evaluate_job(model))
    record_sweep(store, name="diagnosed", space_text="", jobs=attacks)
    for job in attacks:
        record_result(store, job, flags_result(job, fooled(0)), attempt_id=None)
    stored = "SELECT knowledge, epsilon_literal, example_order, attacks, accuracy FROM v_worst_case ORDER BY epsilon, example_order"
    assert ask(store, stored).rows[0] == ("randomized", "8/255", "balanced", 1, 15 / 16)
    diagnosis = diagnosed(store, model, pgd=6 / 8, square=7 / 8)
    assert ask(store, stored).rows == (
        ("randomized", "8/255", "balanced", 7, 13 / 16),
        ("randomized", "8/255", "file", 1, 15 / 16),
        ("randomized", "16/255", "balanced", 1, 15 / 16),
    )
    rows = result_rows(store, "diagnosed", per_repeat=False, worst=True, every_space=True)
    (row,) = (row for row in rows if (row.epsilon_literal, row.example_order) == ("8/255", "balanced"))
    assert (row.robust_accuracy, row.attacks, row.repeats, row.job_keys) == (13 / 16, 7, 1, (attacks[0].key,))
    assert {row.attack for row in result_rows(store, "diagnosed", per_repeat=False, every_space=True)} == {"fgsm"}
    asked = parse_conditions(["attack=fgsm", "epsilon=8/255", "evaluation.order=balanced"])
    (alone,) = result_rows(store, "diagnosed", per_repeat=False, worst=True, where=asked, every_space=True)
    assert (alone.robust_accuracy, alone.attacks) == (15 / 16, 2)
    assert diagnosis.key not in row.job_keys


def test_a_diagnosis_brings_the_worst_case_of_any_knowledge_where_its_own_is_another(store: Store) -> None:
    model = pretrain_job()
    crafted = craft_job(model)
    attack = attack_job(model, crafted=crafted)
    finish(store, model, crafted)
    record_sweep(store, name="diagnosed", space_text="", jobs=[attack])
    record_result(store, attack, flags_result(attack, fooled(0)), attempt_id=None)
    diagnosed(store, model, pgd=5 / 8)
    found = ask(store, "SELECT knowledge, accuracy FROM v_worst_case ORDER BY knowledge").rows
    assert found == (("any", 12 / 16), ("omniscient", 15 / 16))
