import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from orchestrator.driver.recorder import Recorder
from orchestrator.store import Store, finished_keys, open_store, record_result, sweep_status
from orchestrator.store.schema.sweep_tables import AttemptRecord
from tests.builders import pretrain_job, result_of, small_plan
from tests.kept_files import job_folder
from tests.stored import begin_driving, content, record_sweep
from workers.artifacts.artifacts import Artifacts
from workers.errors import ArtifactError
from workers.spec.job import Job

JOBS = small_plan()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as opened:
        record_sweep(opened, name="small", space_text="", jobs=JOBS)
        yield opened


@pytest.fixture
def recorder(store: Store, tmp_path: Path) -> Recorder:
    lease = begin_driving(store, "small", "localhost", 1)
    return Recorder(store, sweep="small", artifacts=Artifacts(tmp_path / "artifacts"), lease=lease)


def leave_artifact(job: Job, tmp_path: Path) -> None:
    folder = Artifacts(tmp_path / "artifacts").folder(job.key)
    folder.begin(job)
    folder.commit(result_of(job))


@contextmanager
def broken(store: Store) -> Iterator[None]:
    """Inside, the database refuses every write to jobs and attempts."""
    for table in ("jobs", "attempts"):
        with store.writing() as connection:
            connection.execute(text(f"ALTER TABLE {table} RENAME TO hidden_{table}"))
    yield
    for table in ("jobs", "attempts"):
        with store.writing() as connection:
            connection.execute(text(f"ALTER TABLE hidden_{table} RENAME TO {table}"))


def test_results_that_the_database_refused_are_written_when_it_is_back(store: Store, recorder: Recorder, tmp_path: Path) -> None:
    first, second = JOBS[:2]
    for job in (first, second):
        leave_artifact(job, tmp_path)
    with broken(store):
        recorder.started(first)
        recorder.finished(first)
        assert recorder.unrecorded == 1
        assert "no such table" in (recorder.last_error or "")
    assert finished_keys(store) == frozenset()
    recorder.finished(second)
    assert recorder.unrecorded == 0
    assert finished_keys(store) == {first.key, second.key}


def test_a_job_without_a_result_is_not_recorded_as_done(store: Store, recorder: Recorder) -> None:
    recorder.started(JOBS[0])
    with pytest.raises(ArtifactError):
        recorder.finished(JOBS[0])
    assert finished_keys(store) == frozenset()
    assert recorder.unrecorded == 0


def test_closing_says_that_nobody_drives_the_sweep(store: Store, recorder: Recorder) -> None:
    assert sweep_status(store, "small")[0].driver_alive
    recorder.close()
    assert not sweep_status(store, "small")[0].driver_alive


@pytest.mark.parametrize("seconds", [0.01, 3600])
def test_the_heartbeat_moves_at_once_and_while_the_context_lasts(
    seconds: float, store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.store.leases.leases.HEARTBEAT", timedelta(seconds=seconds))
    before = sweep_status(store, "small")[0].heartbeat_at
    assert before is not None
    with recorder:
        end = time.monotonic() + 20
        while sweep_status(store, "small")[0].heartbeat_at == before:
            assert time.monotonic() < end, "no heartbeat came"
            time.sleep(0.01)


def test_results_that_were_found_are_recorded_together_as_one_by_one(store: Store, recorder: Recorder, tmp_path: Path) -> None:
    damaged, *others = JOBS
    for job in JOBS:
        leave_artifact(job, tmp_path)
        (job_folder(tmp_path / "artifacts", job.key) / "attempt").write_text("of a killed worker")
    (job_folder(tmp_path / "artifacts", damaged.key) / "result.json").write_text("{")
    said: list[str] = []
    with recorder:
        recorder.record_found(JOBS, say=said.append)
        assert recorder.unrecorded == 0
        assert finished_keys(store) == {job.key for job in others}
    assert f"job {damaged.key}" in (recorder.last_error or "")
    assert [path.parent.name for path in (tmp_path / "artifacts").glob("*/*/attempt")] == [damaged.key]
    with open_store(f"sqlite:///{tmp_path / 'one.db'}", upgrade=True) as single:
        record_sweep(single, name="small", space_text="", jobs=JOBS)
        for job in others:
            record_result(single, job, result_of(job), attempt_id=None)
        found, expected = (
            {table: _undated(rows) for table, rows in content(each).items() if table != "sweeps"} for each in (store, single)
        )
    assert found == expected


def _undated(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if not name.endswith("_at")} for row in rows]


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """A transaction of another program, behind which all results, found on disk, wait to be recorded two by two."""
    monkeypatch.setattr("orchestrator.driver.recorder._TOGETHER", 2)
    monkeypatch.setattr("orchestrator.driver.recorder._SAY_SECONDS", 0.01)
    for job in JOBS:
        leave_artifact(job, tmp_path)
    with closing(sqlite3.connect(tmp_path / "results.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def test_results_that_are_being_recorded_are_counted_aloud(store: Store, recorder: Recorder, locked: sqlite3.Connection) -> None:
    with recorder:
        said: list[str] = []

        def say(line: str) -> None:
            said.append(line)
            locked.execute("ROLLBACK") if len(said) == 1 else None

        recorder.record_found(JOBS, say=say)
    assert said[0] == f"recording 0 of {len(JOBS)} found results"
    assert finished_keys(store) == {job.key for job in JOBS}


def test_a_launch_that_is_stopped_while_it_records_leaves_the_rest_to_the_next_one(
    store: Store, recorder: Recorder, locked: sqlite3.Connection, tmp_path: Path
) -> None:
    def stop(line: str) -> None:
        locked.execute("ROLLBACK")
        raise KeyboardInterrupt

    with suppress(KeyboardInterrupt), recorder:
        recorder.record_found(JOBS, say=stop)
    assert len(finished_keys(store)) <= len(JOBS[:2]), "the transaction that was under way, and none after it"
    with Recorder(store, sweep="small", artifacts=Artifacts(tmp_path / "artifacts")) as again:
        again.record_found(JOBS, say=[].append)
    assert finished_keys(store) == {job.key for job in JOBS}


def test_failures_and_starts_wait_for_the_database_too_and_keep_their_order_and_times(
    store: Store, recorder: Recorder, tmp_path: Path
) -> None:
    first, second = JOBS[:2]
    leave_artifact(first, tmp_path)
    with broken(store):
        recorder.started(first)
        recorder.failed(first, error="boom", traceback="", final=False)
        recorder.started(first)
        recorder.finished(first)
        recorder.started(second)
    recorder.failed(second, error="boom", traceback="", final=True)
    with store.reading() as connection:
        columns = AttemptRecord.job_key, AttemptRecord.number, AttemptRecord.outcome, AttemptRecord.started_at, AttemptRecord.finished_at
        rows = connection.execute(select(*columns).order_by(AttemptRecord.id)).all()
    assert [tuple(row[:3]) for row in rows] == [(first.key, 1, "failed"), (first.key, 2, "done"), (second.key, 1, "failed")]
    times = [time for row in rows for time in row[3:]]
    assert times == sorted(times)


def test_a_write_that_can_never_succeed_holds_up_no_other(store: Store, recorder: Recorder, tmp_path: Path) -> None:
    stranger = pretrain_job(seed=7)
    for job in (stranger, JOBS[0]):
        leave_artifact(job, tmp_path)
        recorder.started(job)
        recorder.finished(job)
    assert finished_keys(store) == {JOBS[0].key}
    assert recorder.unrecorded == 1
    assert "FOREIGN KEY" in (recorder.last_error or "")


def test_nobody_waits_for_a_database_that_is_locked(store: Store, recorder: Recorder, tmp_path: Path) -> None:
    with recorder, closing(sqlite3.connect(tmp_path / "results.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for job in JOBS:
            leave_artifact(job, tmp_path)
            recorder.started(job)
            recorder.finished(job)
        assert recorder.unrecorded == len(JOBS), "and yet all calls have returned"
        other.execute("ROLLBACK")
    assert recorder.unrecorded == 0
    assert finished_keys(store) == {job.key for job in JOBS}


def test_whoever_lost_the_lease_forgets_what_was_to_be_written_and_is_called(store: Store, recorder: Recorder, tmp_path: Path) -> None:
    called = threading.Event()
    begin_driving(store, "small", "elsewhere", 2)
    leave_artifact(JOBS[0], tmp_path)
    recorder.lease_loss.call(called.set)
    with recorder:
        recorder.started(JOBS[0])
        assert called.wait(timeout=60)
        recorder.finished(JOBS[0])
    assert (recorder.lease_loss.reason or "").startswith("sweep small: process 2 on elsewhere took it over")
    assert recorder.unrecorded == 0
    assert finished_keys(store) == frozenset()
    assert sweep_status(store, "small")[0].driver_alive


def test_an_attempt_lasts_as_long_as_it_took_though_the_clock_is_set_back_meanwhile(
    store: Store, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_artifact(JOBS[0], tmp_path)
    recorder.started(JOBS[0])
    then = datetime.now(UTC) - timedelta(hours=1)
    for module in ("schema.base", "leases.leases", "writing.record"):
        monkeypatch.setattr(f"orchestrator.store.{module}.utc_now", lambda: then)
    recorder._beat()
    recorder.finished(JOBS[0])
    with store.reading() as connection:
        began, ended = connection.execute(select(AttemptRecord.started_at, AttemptRecord.finished_at)).one()
    assert timedelta(0) < ended - began < timedelta(minutes=5)
