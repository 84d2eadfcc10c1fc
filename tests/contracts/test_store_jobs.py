"""What the store tells of one job."""

import pytest
from sqlalchemy import insert

from orchestrator.store import Store, record_result
from orchestrator.store.reading.job_details import find_key, job_details
from orchestrator.store.schema.base import utc_now
from orchestrator.store.schema.result_tables import VerdictRecord
from orchestrator.store.schema.sweep_tables import JobRecord
from tests.builders import RANKS, attack_job, diagnose_job, fine_tune_job, pretrain_job, result_of, small_plan, surface_job
from tests.stored import launch, record_sweep
from workers.errors import UserError

JOBS = small_plan()
FULL, MODEL, CRAFTED = JOBS[:3]
ATTACKED = JOBS[4]


def with_keys(store: Store, *keys: str) -> None:
    rows = [{"key": key.ljust(64, "0"), "key_version": 1, "stage": "evaluate", "spec": "{}", "state": "planned"} for key in keys]
    with store.writing() as connection:
        connection.execute(insert(JobRecord), rows)


def test_a_key_is_found_by_any_unambiguous_beginning_of_four_digits_or_more(store: Store) -> None:
    with_keys(store, "abcd1", "abcd2", "abce", "abcf", "ffff")
    assert find_key(store, "abce") == "abce".ljust(64, "0")
    assert find_key(store, "ABCD1") == "abcd1".ljust(64, "0")
    assert find_key(store, "ffff".ljust(64, "0")) == "ffff".ljust(64, "0")


@pytest.mark.parametrize("digits", ["", "abc", "abcx", "abc%", "' OR 1=1"])
def test_too_few_digits_or_other_characters_are_an_error_that_says_where_keys_are_listed(store: Store, digits: str) -> None:
    with pytest.raises(UserError, match=r"must be the first 4 or more hex digits.*`robustsweep plan SPACE .*--jobs`"):
        find_key(store, digits)


def test_an_unknown_key_and_an_ambiguous_one_are_errors_that_name_what_to_do_and_the_candidates(store: Store) -> None:
    with_keys(store, "abcd1", "abcd2", "0123456789aaaa", "0123456789aaab")
    with pytest.raises(UserError, match=r"^key '9999': no such job in the store; `robustsweep plan"):
        find_key(store, "9999")
    with pytest.raises(UserError, match=r"^key 'abcd': 2 jobs begin so, abcd1000 \(evaluate\), abcd2000 \(evaluate\); give more digits$"):
        find_key(store, "abcd")
    with pytest.raises(UserError, match=r"0123456789aaaa \(evaluate\), 0123456789aaab \(evaluate\)"):
        find_key(store, "0123")


def test_a_trained_model_is_shown_with_its_sweeps_relatives_attempts_and_result(store: Store) -> None:
    launch(store, JOBS)
    record_sweep(store, name="another", space_text="", jobs=JOBS[:2])
    record_sweep(store, name="another", space_text="", jobs=[])
    job = job_details(store, MODEL.key[:10])
    assert (job.key, job.stage, job.state, job.dataset) == (MODEL.key, "fine_tune", "done", "digits")
    assert job.spec == MODEL.spec.model_dump(mode="json")
    assert [(held.sweep, held.in_space) for held in job.sweeps] == [("another", False), ("small", True)]
    assert [(parent.key, parent.role, parent.stage) for parent in job.parents] == [(FULL.key, "weights", "pretrain")]
    assert [child.stage for child in job.children] == ["evaluate"] * 2 + ["craft"] + ["attack"] * 4
    assert {child.key for child in job.children} == {child.key for child in JOBS if MODEL.key in child.parents.values()}
    (attempt,) = job.attempts
    assert (attempt.number, attempt.outcome, attempt.sweep, attempt.error) == (1, "done", "small", None)
    assert attempt.finished_at is not None
    assert attempt.finished_at >= attempt.started_at
    assert job.result is not None
    assert (job.result.seconds, job.result.host, job.result.device, job.result.versions) == (1.5, "localhost", "cpu", {"torch": "2.11.0"})
    assert (job.result.values["rank"], job.result.values["n_parameters"]) == (RANKS, 1234)


def test_an_attack_is_shown_with_its_accuracy_and_interval(store: Store) -> None:
    launch(store, JOBS)
    result = job_details(store, ATTACKED.key).result
    assert result is not None
    assert (result.values["n_examples"], result.values["n_correct"], result.values["accuracy"]) == (16, 8, 0.5)
    assert 0 < result.values["ci_low"] < 0.5 < result.values["ci_high"] < 1
    assert "flags" not in result.values


def test_every_stage_has_its_result(store: Store) -> None:
    jobs = [*JOBS, surface_job(MODEL), diagnose_job(MODEL)]
    launch(store, jobs)
    assert all(job_details(store, job.key).result is not None for job in jobs)


def test_a_failed_job_says_why_and_what_it_blocks(store: Store) -> None:
    full = pretrain_job()
    model = fine_tune_job(full)
    attack = attack_job(model)
    record_sweep(store, name="small", space_text="", jobs=[full, model, attack])
    record_result(store, full, result_of(full), attempt_id=None)
    assert [job_details(store, job.key).state for job in (full, model, attack)] == ["done", "waiting", "waiting"]
    launch(store, [full, model], failing=[model])
    failed = job_details(store, model.key)
    assert (failed.state, failed.result) == ("failed", None)
    assert [(attempt.outcome, attempt.error, attempt.traceback) for attempt in failed.attempts] == [
        ("failed", "JobError: boom", "Traceback: boom")
    ]
    assert [(child.key, child.state) for child in failed.children] == [(attack.key, "blocked")]
    assert job_details(store, attack.key).state == "blocked"


def test_a_model_is_shown_with_its_verdict_the_gravest_reason_first(store: Store) -> None:
    launch(store, JOBS[:2])
    outcomes = [("a", "passed"), ("b", "not made"), ("c", "suspicious"), ("d", "failed")]
    checks = [{"name": name, "outcome": outcome, "reason": f"because {name}", "numbers": {}} for name, outcome in outcomes]
    columns = {column.name for column in VerdictRecord.__table__.columns}
    row = {"model_key": MODEL.key, "verdict": "unsound", "checks": checks, "rules": 1, "judged_at": utc_now()}
    with store.writing() as connection:
        connection.execute(insert(VerdictRecord), {name: value for name, value in row.items() if name in columns})
    verdict = job_details(store, MODEL.key).verdict
    assert verdict is not None
    assert verdict.verdict == "unsound"
    assert verdict.reasons == ("d failed: because d", "c suspicious: because c", "b not made: because b")
    assert job_details(store, FULL.key).verdict is None
