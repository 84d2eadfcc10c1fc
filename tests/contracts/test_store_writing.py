import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError, StatementError

from orchestrator.store import (
    Store,
    end_driving,
    failures,
    finished_keys,
    heartbeat,
    record_failure,
    record_result,
    start_attempt,
    sweep_names,
    sweep_status,
)
from orchestrator.store.leases.leases import LeaseLost
from orchestrator.store.schema.base import Base
from orchestrator.store.schema.result_tables import (
    AttackResultRecord,
    CleanResultRecord,
    CraftedExamplesRecord,
    EnvironmentRecord,
    TrainedModelRecord,
)
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobParentRecord, JobRecord, SweepJobRecord, SweepRecord
from tests.builders import ENVIRONMENT, RANKS, defend_job, evaluate_job, flags_result, pretrain_job, result_of, small_plan, train_result
from tests.stored import begin_driving, record_sweep
from workers.artifacts.outcomes import unpack_flags
from workers.errors import UserError
from workers.spec.job import JOB, Job
from workers.spec.model import ModelSpec


def count(store: Store, record: type[Base]) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(record)).scalar_one()


def only_row(store: Store, record: type[Base]) -> dict[str, object]:
    with store.reading() as connection:
        return dict(connection.execute(select(record.__table__)).mappings().one())


def attempts(store: Store) -> list[tuple[int, str]]:
    with store.reading() as connection:
        rows = connection.execute(select(AttemptRecord.number, AttemptRecord.outcome).order_by(AttemptRecord.id))
        return [(row.number, row.outcome) for row in rows]


def held(store: Store, sweep: str) -> dict[str, bool]:
    with store.reading() as connection:
        statement = select(SweepJobRecord.job_key, SweepJobRecord.in_space).join(SweepRecord).where(SweepRecord.name == sweep)
        return {row.job_key: row.in_space for row in connection.execute(statement)}


@pytest.fixture
def plan(store: Store) -> list[Job]:
    jobs = small_plan()
    record_sweep(store, name="small", space_text="space: 1", jobs=jobs)
    return jobs


def test_a_sweep_is_recorded_with_its_jobs_and_their_parents(store: Store, plan: list[Job]) -> None:
    assert sweep_names(store) == ["small"]
    assert held(store, "small") == {job.key: True for job in plan}
    with store.reading() as connection:
        specs = {row.key: row.spec for row in connection.execute(select(JobRecord.key, JobRecord.spec))}
        parents: dict[str, dict[str, str]] = {key: {} for key in specs}
        for row in connection.execute(select(JobParentRecord.__table__)):
            parents[row.child_key][row.role] = row.parent_key
        seeds = {row.key: row.seed_key for row in connection.execute(select(JobRecord.key, JobRecord.seed_key))}
    stored = {
        key: JOB.validate_json(
            json.dumps(
                {
                    "spec": json.loads(spec),
                    "parents": parents[key],
                    "parent_seeds": {role: seeds[parent] for role, parent in parents[key].items()},
                }
            )
        )
        for key, spec in specs.items()
    }
    assert stored == {job.key: job for job in plan}
    assert seeds == {job.key: job.seed_key for job in plan}


def test_recording_a_sweep_again_changes_nothing_and_forgets_no_result(store: Store, plan: list[Job]) -> None:
    record_result(store, plan[0], result_of(plan[0]), attempt_id=None)
    record_sweep(store, name="small", space_text="space: 1", jobs=[*plan, plan[0]])
    assert count(store, JobRecord) == len(plan)
    assert count(store, SweepRecord) == 1
    assert finished_keys(store) == {plan[0].key}


def test_a_narrower_space_keeps_older_jobs_as_out_of_the_space_and_a_wider_one_brings_them_back(store: Store, plan: list[Job]) -> None:
    record_sweep(store, name="small", space_text="narrow", jobs=plan[:2])
    assert held(store, "small") == {job.key: job in plan[:2] for job in plan}
    assert only_row(store, SweepRecord)["space"] == "narrow"
    record_sweep(store, name="small", space_text="wide", jobs=plan)
    assert all(held(store, "small").values())


def test_sweeps_share_jobs_but_not_which_are_in_their_space(store: Store, plan: list[Job]) -> None:
    record_sweep(store, name="other", space_text="", jobs=plan[:1])
    record_sweep(store, name="other", space_text="", jobs=[])
    assert held(store, "other") == {plan[0].key: False}
    assert all(held(store, "small").values())
    assert count(store, JobRecord) == len(plan)


def test_a_job_whose_parent_is_unknown_is_refused_and_nothing_is_written(store: Store) -> None:
    with pytest.raises(IntegrityError):
        record_sweep(store, name="orphans", space_text="", jobs=[evaluate_job(pretrain_job())])
    assert sweep_names(store) == []
    assert count(store, JobRecord) == 0


def test_every_stage_has_its_table_and_recording_twice_keeps_one_row(store: Store, plan: list[Job]) -> None:
    for job in plan * 2:
        record_result(store, job, result_of(job), attempt_id=None)
    records = (TrainedModelRecord, CleanResultRecord, CraftedExamplesRecord, AttackResultRecord, EnvironmentRecord)
    assert [count(store, record) for record in records] == [2, 2, 1, 4, 1]
    assert finished_keys(store) == {job.key for job in plan}


def test_a_second_result_of_a_job_does_not_replace_the_first(store: Store, plan: list[Job]) -> None:
    evaluation = plan[3]
    record_result(store, evaluation, flags_result(evaluation, [True] * 16), attempt_id=None)
    record_result(store, evaluation, flags_result(evaluation, [False] * 16), attempt_id=None)
    row = only_row(store, CleanResultRecord)
    assert row["n_correct"] == 16
    assert unpack_flags(row["flags"], n_examples=16, draws=1).all()  # type: ignore[arg-type]


def test_a_trained_model_is_stored_column_by_column(store: Store, plan: list[Job]) -> None:
    before = datetime.now(UTC)
    record_result(store, plan[0], train_result(plan[0]), attempt_id=None)
    row = only_row(store, TrainedModelRecord)
    finished = row.pop("finished_at")
    environment = only_row(store, EnvironmentRecord)
    assert row.pop("environment_id") == environment.pop("id")
    assert environment == ENVIRONMENT.model_dump()
    assert isinstance(finished, datetime)
    assert finished.utcoffset() == timedelta(0)
    assert before <= finished <= datetime.now(UTC)
    training = plan[0].spec.training  # type: ignore[union-attr]
    assert row.pop("training") == {name: value for name, value in training.flat.items() if name != "recipe"}
    assert row == {
        "job_key": plan[0].key,
        "dataset": "digits",
        "train_examples": None,
        "model": "resnet18",
        "model_settings": {"width": 4},
        "model_options": {
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
        "data_settings": {},
        "modality": "image",
        "n_classes": 10,
        "low": 0.0,
        "high": 1.0,
        "randomised": False,
        "validation_examples": 0.0,
        "tensorized": True,
        "theta": 1.0,
        "rank_fraction": 0.5,
        "rank_fractions": None,
        "until": None,
        "resumed_key": None,
        "rank_kind": "channels",
        "rank": RANKS,
        "sketch_modes": "channels",
        "rescale": True,
        "binary": False,
        "adversarial_training": "none",
        "defence": "none",
        "defence_settings": None,
        "seed": 0,
        "epochs": 1,
        "n_parameters": 1234,
        "history": [{"epoch": 0, "loss": 2.5, "accuracy": 0.25, "learning_rate": 0.1}],
        "seconds": 1.5,
    }


def test_a_defended_model_is_stored_with_the_settings_that_its_defence_has(store: Store, plan: list[Job]) -> None:
    defended = defend_job(plan[0], "feature_squeezing", bit_depth=3)
    record_sweep(store, name="defended", space_text="", jobs=[plan[0], defended])
    record_result(store, defended, result_of(defended), attempt_id=None)
    row = only_row(store, TrainedModelRecord)
    assert (row["defence"], row["defence_settings"]) == ("feature_squeezing", {"bit_depth": 3, "median_size": 2})
    assert row["history"] == []


def test_a_model_whose_layers_have_ranks_of_their_own_is_stored_with_them_and_their_mean(store: Store) -> None:
    plain = pretrain_job().spec
    ranks = {r"blocks\.[01]\.": 1.0, r"blocks\.[2-5]\.": 0.5, r"blocks\.6\.": 0.5, r"blocks\.7\.": 0.25}
    model = ModelSpec.model_validate({"width": 4, "rank_fractions": ranks})
    mixed = Job(spec=plain.model_copy(update={"model": model}))
    record_sweep(store, name="mixed", space_text="", jobs=[mixed])
    record_result(store, mixed, train_result(mixed), attempt_id=None)
    row = only_row(store, TrainedModelRecord)
    assert (row["rank_fraction"], row["rank_fractions"]) == (0.5625, ranks)


def test_a_dense_model_has_no_rank(store: Store) -> None:
    dense = pretrain_job(tensorized=False)
    record_sweep(store, name="dense", space_text="", jobs=[dense])
    record_result(store, dense, train_result(dense, ranks={}), attempt_id=None)
    row = only_row(store, TrainedModelRecord)
    assert row["rank"] is None
    assert row["rank_fraction"] is None


def test_an_attack_result_is_stored_column_by_column(store: Store, plan: list[Job]) -> None:
    attack = plan[4]
    record_result(store, attack, flags_result(attack), attempt_id=None)
    row = only_row(store, AttackResultRecord)
    expected = {
        "job_key": attack.key,
        "model_key": plan[1].key,
        "attack": "fgsm",
        "knowledge": "randomized",
        "norm": "linf",
        "epsilon": 8 / 255,
        "epsilon_literal": "8/255",
        "settings": {"loss": "ce"},
        "loss": "ce",
        "takes_gradients": True,
        "random_start": False,
        "selects": False,
        "one_step": True,
        "metrics": {},
        "repeat": 0,
        "n_examples": 16,
        "batch_size": 8,
        "n_correct": 8,
        "flags": b"\xaa\xaa",
        "seconds": 0.5,
    }
    assert {name: row[name] for name in expected} == expected


def test_a_result_of_another_job_or_stage_is_refused(store: Store, plan: list[Job]) -> None:
    with pytest.raises(ValueError, match="is not one of job"):
        record_result(store, plan[0], result_of(plan[1]), attempt_id=None)
    with pytest.raises(ValueError, match="not one of stage pretrain"):
        record_result(store, plan[0], flags_result(plan[0]), attempt_id=None)
    assert finished_keys(store) == frozenset()


def test_attempts_are_numbered_per_job_and_end_with_the_result(store: Store, plan: list[Job]) -> None:
    first = start_attempt(store, "small", plan[0].key)
    record_failure(store, plan[0].key, attempt_id=first, error="boom", traceback="trace", final=False)
    second = start_attempt(store, "small", plan[0].key)
    start_attempt(store, None, plan[1].key)
    record_result(store, plan[0], result_of(plan[0]), attempt_id=second)
    record_result(store, plan[0], result_of(plan[0]), attempt_id=second)
    assert attempts(store) == [(1, "failed"), (2, "done"), (1, "running")]


def test_an_attempt_of_an_unknown_sweep_or_job_is_refused(store: Store, plan: list[Job]) -> None:
    with pytest.raises(UserError, match="sweep 'smal': one of small"):
        start_attempt(store, "smal", plan[0].key)
    with pytest.raises(IntegrityError):
        start_attempt(store, "small", "0" * 64)


def test_only_the_final_failure_fails_the_job(store: Store, plan: list[Job]) -> None:
    attempt = start_attempt(store, "small", plan[0].key)
    record_failure(store, plan[0].key, attempt_id=attempt, error="first", traceback="", final=False)
    assert failures(store, "small") == []
    attempt = start_attempt(store, "small", plan[0].key)
    record_failure(store, plan[0].key, attempt_id=attempt, error="second\nline", traceback="Traceback\n  here", final=True)
    (failure,) = failures(store, "small")
    assert (failure.key, failure.stage, failure.attempts) == (plan[0].key, "pretrain", 2)
    assert (failure.error, failure.traceback) == ("second line", "Traceback\n  here")
    assert failure.description == "theta 1"


def test_a_failure_never_takes_a_result_away(store: Store, plan: list[Job]) -> None:
    attempt = start_attempt(store, "small", plan[0].key)
    record_result(store, plan[0], result_of(plan[0]), attempt_id=attempt)
    record_failure(store, plan[0].key, attempt_id=attempt, error="late", traceback="", final=True)
    assert finished_keys(store) == {plan[0].key}
    assert attempts(store) == [(1, "done")]


def test_any_text_of_an_exception_can_be_stored(store: Store, plan: list[Job]) -> None:
    attempt = start_attempt(store, "small", plan[0].key)
    record_failure(store, plan[0].key, attempt_id=attempt, error="nul \x00", traceback="surrogate \udc80 é", final=True)
    (failure,) = failures(store, "small")
    assert (failure.error, failure.traceback) == ("nul \\x00", "surrogate \\udc80 é")


def test_a_new_driver_interrupts_old_attempts_and_plans_failed_jobs_again(store: Store, plan: list[Job]) -> None:
    begin_driving(store, "small", "host", 1)
    start_attempt(store, "small", plan[1].key)
    attempt = start_attempt(store, "small", plan[0].key)
    record_failure(store, plan[0].key, attempt_id=attempt, error="boom", traceback="", final=True)
    begin_driving(store, "small", "host", 2)
    assert attempts(store) == [(1, "interrupted"), (1, "failed")]
    assert failures(store, "small") == []


def test_a_new_driver_leaves_other_sweeps_and_jobs_out_of_the_space_alone(store: Store, plan: list[Job]) -> None:
    other = pretrain_job(seed=1)
    record_sweep(store, name="other", space_text="", jobs=[other])
    start_attempt(store, "other", other.key)
    attempt = start_attempt(store, "small", plan[0].key)
    record_failure(store, plan[0].key, attempt_id=attempt, error="boom", traceback="", final=True)
    record_sweep(store, name="small", space_text="", jobs=[])
    begin_driving(store, "small", "host", 1)
    assert attempts(store) == [(1, "running"), (1, "failed")]
    with store.reading() as connection:
        assert connection.execute(select(JobRecord.state).where(JobRecord.key == plan[0].key)).scalar_one() == "failed"


def test_the_end_of_driving_interrupts_what_runs_and_silences_late_heartbeats(store: Store, plan: list[Job]) -> None:
    lease = begin_driving(store, "small", "host", 1)
    start_attempt(store, "small", plan[0].key)
    end_driving(store, lease)
    with pytest.raises(LeaseLost):
        heartbeat(store, lease)
    assert attempts(store) == [(1, "interrupted")]
    (status,) = sweep_status(store, "small")
    assert status.heartbeat_at is None
    assert not status.driver_alive


def test_a_heartbeat_is_remembered(store: Store, plan: list[Job]) -> None:
    lease = begin_driving(store, "small", "host", 1)
    (before,) = sweep_status(store, "small")
    assert heartbeat(store, lease) > lease.taken_at
    (after,) = sweep_status(store, "small")
    assert before.heartbeat_at is not None
    assert after.heartbeat_at is not None
    assert after.heartbeat_at > before.heartbeat_at
    assert after.launched_at == before.launched_at


def test_a_timestamp_without_zone_is_refused(store: Store, plan: list[Job]) -> None:
    with pytest.raises(StatementError, match="must carry a time zone"):
        start_attempt(store, "small", plan[0].key, started_at=datetime(2026, 1, 1))
