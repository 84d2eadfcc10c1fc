import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from orchestrator.recorder import Heartbeat, Recorder
from orchestrator.store import Store, begin_driving, finished_keys, open_store, record_sweep, sweep_status
from tests.builders import result_of, small_plan
from workers.artifacts import Artifacts
from workers.errors import ArtifactError
from workers.specs import Job

JOBS = small_plan()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as opened:
        record_sweep(opened, name="small", space_text="", jobs=JOBS)
        begin_driving(opened, "small", "localhost", 1)
        yield opened


@pytest.fixture
def recorder(store: Store, tmp_path: Path) -> Recorder:
    return Recorder(store, sweep="small", artifacts=Artifacts(tmp_path / "artifacts"))


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
    recorder.flush()
    assert finished_keys(store) == frozenset()
    assert recorder.unrecorded == 0


def test_closing_says_that_nobody_drives_the_sweep(store: Store, recorder: Recorder) -> None:
    assert sweep_status(store, "small")[0].driver_alive
    recorder.close()
    assert not sweep_status(store, "small")[0].driver_alive


def test_the_heartbeat_moves_while_the_context_lasts(store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.recorder._HEARTBEAT_SECONDS", 0.01)
    before = sweep_status(store, "small")[0].heartbeat_at
    assert before is not None
    with Heartbeat(recorder):
        end = time.monotonic() + 20
        while sweep_status(store, "small")[0].heartbeat_at == before:
            assert time.monotonic() < end, "no heartbeat came"
            time.sleep(0.01)
