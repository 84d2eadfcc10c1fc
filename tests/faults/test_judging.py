"""The counts of the table of faults: a sweep held against another one, which nothing disturbed."""

from pathlib import Path

import pytest
from sqlalchemy import delete, update

from orchestrator.store import open_store, start_attempt
from orchestrator.store.schema.result_tables import CleanResultRecord
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobRecord
from tests.builders import evaluate_job, pretrain_job
from tests.faults.judging import Account, Kept, account
from tests.kept_files import job_folder
from tests.stored import launch, leave_artifacts

MODEL = pretrain_job()
MEASURED = evaluate_job(MODEL)
JOBS = (MODEL, MEASURED)


def swept(folder: Path) -> Kept:
    kept = Kept(f"sqlite:///{folder / 'results.db'}", folder / "artifacts")
    with open_store(kept.url, upgrade=True) as store:
        launch(store, JOBS)
    leave_artifacts(JOBS, kept.artifacts)
    return kept


@pytest.fixture
def quiet(tmp_path: Path) -> Kept:
    (tmp_path / "quiet").mkdir()
    return swept(tmp_path / "quiet")


@pytest.fixture
def sweep(tmp_path: Path) -> Kept:
    return swept(tmp_path)


def test_a_sweep_to_which_nothing_happened_is_clean(sweep: Kept, quiet: Kept) -> None:
    assert account(sweep, quiet) == Account(lost=[], repeated=[], left=[])


def test_a_job_that_is_not_done_or_whose_row_is_missing_or_another_is_lost(sweep: Kept, quiet: Kept) -> None:
    changes = (
        (update(JobRecord).where(JobRecord.key == MODEL.key).values(state="planned"), MODEL),
        (update(CleanResultRecord).values(n_correct=CleanResultRecord.n_correct - 1), MEASURED),
        (delete(CleanResultRecord), MEASURED),
    )
    found = []
    for change, job in changes:
        with open_store(sweep.url, upgrade=True) as store, store.writing() as connection:
            connection.execute(change)
        assert job.key in account(sweep, quiet).lost
        found.append(len(account(sweep, quiet).lost))
    assert found == [1, 2, 2]


def test_a_job_that_two_attempts_say_they_finished_is_repeated_unless_its_files_were_damaged(sweep: Kept, quiet: Kept) -> None:
    with open_store(sweep.url, upgrade=True) as store:
        attempt = start_attempt(store, "small", MEASURED.key)
        with store.writing() as connection:
            connection.execute(update(AttemptRecord).where(AttemptRecord.id == attempt).values(outcome="done"))
    assert account(sweep, quiet, clock=False).repeated == [MEASURED.key]
    assert account(sweep, quiet, clock=False, damaged=[MEASURED.key]).repeated == []


def test_an_attempt_that_begins_when_the_result_is_there_is_a_repeat(sweep: Kept, quiet: Kept) -> None:
    with open_store(sweep.url, upgrade=True) as store:
        start_attempt(store, "small", MODEL.key)
    assert account(sweep, quiet).repeated == [MODEL.key]
    assert account(sweep, quiet, clock=False).repeated == []


def test_files_that_no_result_names_are_left_over(sweep: Kept, quiet: Kept) -> None:
    for name in ("checkpoint", ".model.a1.tmp"):
        (job_folder(sweep.artifacts, MODEL.key) / name).write_bytes(b"left")
    assert account(sweep, quiet).left == [f"{MODEL.key[:2]}/{MODEL.key}/{name}" for name in (".model.a1.tmp", "checkpoint")]
