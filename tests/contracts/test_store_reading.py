"""The reads behind figures and reports, on every kind of database."""

import numpy as np
import pytest
from sqlalchemy import update

from orchestrator.store import Store, record_result
from orchestrator.store.reading.report_evidence import example_flags, example_scores, job_costs, provenance, training_runs
from orchestrator.store.schema.result_tables import AttackResultRecord
from tests.builders import ENVIRONMENT, attack_job, evaluate_job, flags_result, pretrain_job, result_of, small_plan, train_result
from tests.stored import record_sweep
from workers.errors import UserError
from workers.spec.job import Job


def fill(store: Store, jobs: list[Job], *, sweep: str = "small") -> None:
    record_sweep(store, name=sweep, space_text="model: {width: 4}", jobs=jobs)
    for job in jobs:
        record_result(store, job, result_of(job), attempt_id=None)


def test_training_runs_are_those_of_the_sweep_with_their_histories(store: Store) -> None:
    full, model, *_ = jobs = small_plan()
    fill(store, jobs)
    fill(store, [pretrain_job(seed=7)], sweep="other")
    runs = training_runs(store, "small")
    assert [(run.model_key, run.stage, run.theta) for run in runs] == [(full.key, "pretrain", 1.0), (model.key, "fine_tune", 0.8)]
    assert runs[0].history == ({"epoch": 0, "loss": 2.5, "accuracy": 0.25, "learning_rate": 0.1},)
    assert len(training_runs(store, None)) == 3


def test_costs_count_what_a_model_and_its_attacks_took(store: Store) -> None:
    _, model, *_ = jobs = small_plan(repeats=2)
    fill(store, jobs)
    omniscient = [job.key for job in jobs if job.parents.get("examples")]
    for costs in (job_costs(store, "small"), job_costs(store, None)):
        assert costs.training(model.key) == 3.0  # 1.5 s each, the net it was fine-tuned from included
        assert costs.measuring(omniscient) == 1.5  # two attacks and the crafting, 0.5 s each
        assert costs.measuring(["nothing of ours"]) is None


def test_example_scores_count_each_example_by_knowledge(store: Store) -> None:
    model = pretrain_job()
    measured = [evaluate_job(model), attack_job(model, repeat=0), attack_job(model, repeat=1)]
    fill(store, [model])
    record_sweep(store, name="small", space_text="", jobs=[model, *measured])
    flags = [np.arange(16) < count for count in (12, 8, 3)]
    for job, correct in zip(measured, flags, strict=True):
        record_result(store, job, flags_result(job, correct), attempt_id=None)
    clean, attacked = example_scores(store, "small")
    assert (clean.knowledge, clean.evaluations, attacked.knowledge, attacked.evaluations) == ("none", 1, "randomized", 2)
    assert clean.right.tolist() == flags[0].astype(int).tolist()
    assert attacked.right.tolist() == [2] * 3 + [1] * 5 + [0] * 8


def test_flags_of_several_draws_are_read_draw_by_draw(store: Store) -> None:
    model = pretrain_job()
    attacked = attack_job(model)
    fill(store, [model, attacked])
    draws = np.array([[True] * 11, [False] * 4 + [True] * 7])
    packed = np.packbits(draws, axis=1).tobytes()
    with store.writing() as connection:
        connection.execute(update(AttackResultRecord).values(flags=packed, draws=2, n_examples=11))
    assert np.array_equal(example_flags(store, [attacked.key, "unknown"])[attacked.key], draws)
    (scores,) = example_scores(store, "small")
    assert (scores.evaluations, scores.right.tolist()) == (2, [1] * 4 + [2] * 7)


def test_provenance_has_each_environment_with_its_jobs(store: Store) -> None:
    jobs = small_plan()
    fill(store, jobs)
    elsewhere = pretrain_job(seed=3)
    record_sweep(store, name="small", space_text="model: {width: 2}", jobs=[*jobs, elsewhere])
    other = ENVIRONMENT.model_copy(update={"host": "elsewhere", "git_revision": "abc"})
    record_result(store, elsewhere, train_result(elsewhere, environment=other), attempt_id=None)
    found = provenance(store, "small")
    assert found.space == "model: {width: 2}"
    assert [(used.host, used.git_revision, used.jobs) for used in found.environments] == [
        ("localhost", None, len(jobs)),
        ("elsewhere", "abc", 1),
    ]
    assert all(used.first_finished_at <= used.last_finished_at for used in found.environments)


@pytest.mark.parametrize("read", [training_runs, job_costs, example_scores, provenance])
def test_reads_of_a_sweep_that_is_not_there_name_those_that_are(store: Store, read: object) -> None:
    fill(store, small_plan())
    with pytest.raises(UserError, match="sweep 'smal': one of small"):
        read(store, "smal")  # type: ignore[operator]
