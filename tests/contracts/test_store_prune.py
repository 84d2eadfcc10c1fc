"""What `db prune` removes and what it never does, on both kinds of database."""

from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from orchestrator.store import Store, failures, finished_keys, job_keys, open_store, record_failure, result_rows, start_attempt, sweep_names
from orchestrator.store.maintenance.owners import mark_owner, owners_of
from orchestrator.store.maintenance.prune import RemovalRequest, prune
from orchestrator.store.schema.base import Base
from orchestrator.store.schema.sweep_tables import AttemptRecord, SweepJobRecord
from orchestrator.store.writing.verdict_table import refresh_worst_cases
from tests.builders import attack_job, pretrain_job, small_plan
from tests.stored import begin_driving, content, launch, leave_artifacts, record_sweep
from workers.artifacts.artifacts import Artifacts
from workers.errors import UserError
from workers.spec.job import Job
from workers.spec.stage_specs import TrainSpec
from workers.spec.training import TrainingSpec

JOBS, OTHERS = small_plan(), small_plan(theta=0.3)
FULL = JOBS[0]  # the pretrained net is both plans'
EVERYTHING = RemovalRequest(sweeps=("small",), failed_attempts=True, orphans=True)


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return leave_artifacts([*JOBS, *OTHERS], tmp_path / "artifacts")


@pytest.fixture
def two(store: Store, artifacts: Artifacts) -> Store:
    launch(store, JOBS)
    launch(store, OTHERS, name="other")
    mark_owner(artifacts, store)
    return store


def count(store: Store, table: str) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(Base.metadata.tables[table])).scalar_one()


def test_a_dry_run_changes_nothing_and_says_just_what_would_go(two: Store, url: str, artifacts: Artifacts) -> None:
    before, keys = content(two), artifacts.all_keys()
    with open_store(url, upgrade=False) as reader:
        said = prune(reader, artifacts, EVERYTHING, really=False)
    assert content(two) == before
    assert artifacts.all_keys() == keys
    numbers = {found.kind: found.number for found in said}
    assert numbers["jobs"] == numbers["artifacts"] == len(JOBS) - 1
    assert numbers["sweeps"] == 1
    assert all(found.size > 0 for found in said)
    assert prune(two, artifacts, EVERYTHING, really=True) == said
    assert prune(two, artifacts, RemovalRequest(orphans=True, failed_attempts=True), really=True) == []


def test_a_sweep_goes_with_the_jobs_that_no_other_holds(two: Store, artifacts: Artifacts) -> None:
    rows = result_rows(two, "other", per_repeat=True)
    prune(two, artifacts, RemovalRequest(sweeps=["small"]), really=True)
    assert sweep_names(two) == ["other"]
    assert job_keys(two) == finished_keys(two) == {job.key for job in OTHERS} == set(artifacts.all_keys())
    assert result_rows(two, "other", per_repeat=True) == rows
    with two.reading() as connection:
        told = connection.execute(select(AttemptRecord.number, AttemptRecord.sweep_id).where(AttemptRecord.job_key == FULL.key)).all()
    assert sorted((number, sweep is None) for number, sweep in told) == [(1, True), (2, False)]


def test_an_ancestor_of_a_job_that_another_sweep_holds_stays(two: Store, artifacts: Artifacts) -> None:
    """Even where the other sweep does not list the ancestor itself."""
    with two.writing() as connection:
        connection.execute(SweepJobRecord.__table__.delete().where(SweepJobRecord.sweep_id == 2, SweepJobRecord.job_key == FULL.key))
    prune(two, artifacts, RemovalRequest(sweeps=["small"], orphans=True), really=True)
    assert job_keys(two) == {job.key for job in OTHERS}


def test_what_was_made_from_a_removed_job_goes_with_it(two: Store, artifacts: Artifacts) -> None:
    """A job in no sweep cannot stay without its parents."""
    with two.writing() as connection:
        connection.execute(SweepJobRecord.__table__.delete().where(SweepJobRecord.job_key == JOBS[-1].key))
    prune(two, artifacts, RemovalRequest(sweeps=["small"]), really=True)
    assert job_keys(two) == {job.key for job in OTHERS}


def test_orphans_are_jobs_in_no_sweep_environments_of_no_result_and_artifacts_of_no_job(two: Store, artifacts: Artifacts) -> None:
    leave_artifacts([attack_job(JOBS[1], repeat=9)], Path(artifacts.url))
    with two.writing() as connection:
        connection.execute(SweepJobRecord.__table__.delete().where(SweepJobRecord.job_key == JOBS[-1].key))
        unused = {"id": "0" * 64, "host": "h", "device": "cpu", "threads": 1, "git_revision": None, "versions": {}}
        connection.execute(Base.metadata.tables["environments"].insert().values(unused))
    (Path(artifacts.url) / "notes").mkdir()
    said = {found.kind: found.number for found in prune(two, artifacts, RemovalRequest(orphans=True), really=True)}
    assert said == {"jobs": 1, "job_parents": 2, "attempts": 1, "attack_results": 1, "environments": 1, "artifacts": 2}
    assert job_keys(two) == {job.key for job in [*JOBS[:-1], *OTHERS]} == set(artifacts.all_keys())
    assert (Path(artifacts.url) / "notes").is_dir()
    assert count(two, "environments") == 1


def test_the_worst_case_of_a_model_that_loses_attacks_is_that_of_those_left(two: Store, artifacts: Artifacts) -> None:
    with two.writing() as connection:
        lost = [job.key for job in JOBS if job.stage == "attack"][:2]
        connection.execute(SweepJobRecord.__table__.delete().where(SweepJobRecord.job_key.in_(lost)))
    prune(two, artifacts, RemovalRequest(orphans=True), really=True)
    after = content(two)["worst_cases"]
    with two.writing() as connection:
        refresh_worst_cases(connection, JOBS[1].key)
    assert after == content(two)["worst_cases"]


def test_failed_attempts_go_but_for_those_that_say_why_a_job_is_failed(store: Store, artifacts: Artifacts) -> None:
    launch(store, JOBS, failing=JOBS[-1:])
    for outcome, job in (("failed", JOBS[0]), ("interrupted", JOBS[1])):
        attempt = start_attempt(store, "small", job.key)
        if outcome == "failed":
            record_failure(store, job.key, attempt_id=attempt, error="boom", traceback="Traceback", final=False)
    with store.writing() as connection:
        connection.execute(update(AttemptRecord).where(AttemptRecord.outcome == "running").values(outcome="interrupted"))
    said = prune(store, artifacts, RemovalRequest(failed_attempts=True), really=True)
    assert [(found.kind, found.number) for found in said] == [("attempts", 2)]
    assert [failure.error for failure in failures(store, "small")] == ["JobError: boom"]
    assert count(store, "attempts") == len(JOBS)


def test_nothing_goes_that_a_running_sweep_holds(two: Store, artifacts: Artifacts) -> None:
    attempt = start_attempt(two, "small", JOBS[1].key)
    record_failure(two, JOBS[1].key, attempt_id=attempt, error="boom", traceback="", final=False)
    record_sweep(two, name="small", space_text="narrow", jobs=JOBS[:2])  # the other jobs are out of its space, and still its own
    begin_driving(two, "small", "somewhere", 42)
    before, keys = content(two), artifacts.all_keys()
    with pytest.raises(UserError, match="sweep small: process 42 on somewhere has been running it"):
        prune(two, artifacts, EVERYTHING, really=True)
    assert prune(two, artifacts, RemovalRequest(failed_attempts=True, orphans=True), really=True) == []
    assert content(two) == before
    prune(two, artifacts, RemovalRequest(sweeps=["other"]), really=True)
    assert {job.key for job in JOBS} <= job_keys(two)
    assert {job.key for job in JOBS} <= set(artifacts.all_keys()) < set(keys)


def test_artifacts_of_another_stores_jobs_stay(two: Store, artifacts: Artifacts) -> None:
    keys = artifacts.all_keys()
    prune(two, artifacts, RemovalRequest(sweeps=["small", "other"]), kept=frozenset(keys), really=True)
    assert job_keys(two) == frozenset()
    assert artifacts.all_keys() == keys


def test_an_unknown_sweep_is_named_and_nothing_goes(two: Store, artifacts: Artifacts) -> None:
    before = content(two)
    with pytest.raises(UserError, match="sweep 'smal': one of other, small"):
        prune(two, artifacts, RemovalRequest(sweeps=["other", "smal"], orphans=True), really=True)
    assert content(two) == before


ORPHANS = RemovalRequest(orphans=True)


def test_artifacts_of_another_database_that_can_be_read_stay(two: Store, other: Store, artifacts: Artifacts) -> None:
    """Whichever of the two is pruned, with its sweeps or with what is in none of them, and even by force."""
    record_sweep(other, name="theirs", space_text="", jobs=JOBS)
    mark_owner(artifacts, other)
    before = artifacts.all_keys()
    assert prune(other, artifacts, ORPHANS, force=True, really=True) == []
    prune(two, artifacts, EVERYTHING, force=True, really=True)
    prune(two, artifacts, RemovalRequest(sweeps=["other"]), really=True)
    assert set(artifacts.all_keys()) == {job.key for job in JOBS} < set(before)


@pytest.mark.parametrize("content", [b'{"url": "../gone.db", "host": "elsewhere", "launched_at": "2026-01-02T03:04"}', b"{", b"[]"])
def test_artifacts_that_may_be_of_a_database_out_of_reach_are_left_unless_forced(two: Store, artifacts: Artifacts, content: bytes) -> None:
    strange = attack_job(FULL, repeat=9)
    leave_artifacts([strange], Path(artifacts.url))
    artifacts.add_owner("f" * 64, content)
    for really in (False, True):
        (left,) = prune(two, artifacts, ORPHANS, really=really)
        assert left.stays
        assert left.kind.startswith("artifacts of unknown owners (perhaps of ")
    prune(two, artifacts, RemovalRequest(sweeps=["small"]), really=True)
    assert set(artifacts.all_keys()) == {job.key for job in (*JOBS, *OTHERS, strange)}
    prune(two, artifacts, ORPHANS, force=True, really=True)
    assert set(artifacts.all_keys()) == {job.key for job in OTHERS}


def test_a_database_that_never_marked_the_place_removes_no_orphans_unless_forced(other: Store, artifacts: Artifacts) -> None:
    assert owners_of(artifacts, other).marked is False
    (left,) = prune(other, artifacts, ORPHANS, really=True)
    assert (left.number, len(artifacts.all_keys())) == (len({job.key for job in (*JOBS, *OTHERS)}),) * 2
    (gone,) = prune(other, artifacts, ORPHANS, force=True, really=True)
    assert (gone.kind, artifacts.all_keys()) == ("artifacts", [])


def test_copies_of_weights_that_no_job_adopts_go_with_the_orphans(two: Store, other: Store, artifacts: Artifacts) -> None:
    adopted, elsewhere, spare = (digit * 64 for digit in "123")
    for digest in (adopted, elsewhere, spare):
        artifacts.add_weights(digest, b"weights")
    for one, digest in ((two, adopted), (other, elsewhere)):
        record_sweep(one, name="adopting", space_text="space: 1", jobs=[adopting(digest)])
    mark_owner(artifacts, other)
    said = {found.kind: (found.number, found.size) for found in prune(two, artifacts, RemovalRequest(orphans=True), really=False)}
    assert said["copies of adopted weights"] == (1, 7)
    assert set(artifacts.all_weights()) == {adopted, elsewhere, spare}
    prune(two, artifacts, RemovalRequest(orphans=True), really=True)
    assert set(artifacts.all_weights()) == {adopted, elsewhere}
    prune(two, artifacts, RemovalRequest(sweeps=["adopting"], orphans=True), really=True)
    assert set(artifacts.all_weights()) == {elsewhere}


def test_copies_of_weights_stay_where_another_database_cannot_be_read(two: Store, artifacts: Artifacts) -> None:
    artifacts.add_weights("1" * 64, b"weights")
    artifacts.add_owner("f" * 64, b"{}")
    prune(two, artifacts, RemovalRequest(orphans=True), really=True)
    assert set(artifacts.all_weights()) == {"1" * 64}
    prune(two, artifacts, RemovalRequest(orphans=True), really=True, force=True)
    assert artifacts.all_weights() == {}


def adopting(digest: str) -> Job:
    """A job that adopts weights of a digest."""
    trained = pretrain_job(tensorized=False)
    assert isinstance(trained.spec, TrainSpec)
    spec = trained.spec.model_copy(update={"stage": "adopt", "training": TrainingSpec(epochs=0)})
    return Job.of(spec).model_copy(update={"digests": {"weights": digest}})
