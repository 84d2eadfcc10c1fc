import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, make_url, text
from sqlalchemy.exc import DBAPIError

from orchestrator.store import Store, StoreMissing, finished_keys, open_store, record_result, result_rows, start_attempt, sweep_names
from orchestrator.store.migrations import REVISIONS, VERSION_TABLE
from orchestrator.store.schema.base import Base
from orchestrator.store.schema.views import drop_views
from tests.builders import result_of, small_plan
from tests.stored import begin_driving, record_sweep
from workers.errors import UserError


@contextmanager
def plain_engine(url: str) -> Iterator[Engine]:
    address = make_url(url)
    engine = create_engine(address.set(drivername="postgresql+psycopg") if address.get_backend_name() == "postgresql" else address)
    yield engine
    engine.dispose()


def use(url: str) -> None:
    """Open the store for launching, finish a small sweep, and read it as another command would."""
    jobs = small_plan()
    with open_store(url, upgrade=True) as store:
        record_sweep(store, name="small", space_text="", jobs=jobs)
        for job in jobs:
            record_result(store, job, result_of(job), attempt_id=None)
    with open_store(url, upgrade=False) as store:
        assert finished_keys(store) == {job.key for job in jobs}
        assert len(result_rows(store, None, per_repeat=False)) == 2


def description(engine: Engine) -> dict[str, Any]:
    """Columns, keys, constraints and indices of our tables, with their names."""
    found = inspect(engine)
    tables = sorted(Base.metadata.tables)
    columns = {name: [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(name)] for name in tables}
    constraints = {
        name: [
            found.get_pk_constraint(name),
            *sorted(found.get_foreign_keys(name), key=str),
            *sorted(found.get_unique_constraints(name), key=str),
            *sorted(found.get_check_constraints(name), key=str),
            *sorted(found.get_indexes(name), key=str),
        ]
        for name in tables
    }
    return {"columns": columns, "constraints": constraints}


def test_the_migrated_schema_has_no_difference_from_the_models(store: Store) -> None:
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrated_schema_is_what_the_models_would_create_names_included(url: str, store: Store) -> None:
    migrated = description(store.engine)
    with store.writing() as connection:
        drop_views(connection)
        Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)
    with plain_engine(url) as engine:
        assert description(engine) == migrated


def test_a_store_that_does_not_exist_is_missing_and_reading_makes_nothing(url: str) -> None:
    with pytest.raises(StoreMissing, match="robustsweep launch"):
        open_store(url, upgrade=False)
    with plain_engine(url) as engine:
        assert inspect(engine).get_table_names() == []


def test_opening_again_keeps_what_is_there(url: str) -> None:
    use(url)
    use(url)


def test_a_store_of_a_newer_schema_is_refused_naming_both(url: str, store: Store) -> None:
    with store.writing() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    for upgrade in (True, False):
        with pytest.raises(UserError, match=f"its schema is 9999, this robustsweep knows up to {REVISIONS[-1]}"):
            open_store(url, upgrade=upgrade)


def test_a_store_of_an_older_schema_is_not_read_and_says_how_to_upgrade(url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.store.migrations.REVISIONS", (*REVISIONS, "9999"))
    with pytest.raises(UserError, match=f"its schema is {REVISIONS[-1]}, older than 9999; `robustsweep db upgrade") as caught:
        open_store(url, upgrade=False)
    assert not isinstance(caught.value, StoreMissing)


def test_a_store_opened_to_be_read_cannot_be_written(url: str, store: Store) -> None:
    with open_store(url, upgrade=False) as reader, pytest.raises(DBAPIError, match=r"read-?only"), reader.reading() as connection:
        connection.execute(text("DELETE FROM sweeps"))


def test_two_launches_at_once_make_one_store(url: str) -> None:
    failed: list[BaseException] = []

    def launch() -> None:
        try:
            open_store(url, upgrade=True).close()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=launch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    use(url)


def test_writers_at_once_wait_for_each_other(store: Store) -> None:
    jobs = small_plan()
    record_sweep(store, name="small", space_text="", jobs=jobs)
    numbers = [start_attempt(store, "small", jobs[0].key)]

    def write() -> None:
        for _ in range(5):
            numbers.append(start_attempt(store, "small", jobs[0].key))
            record_sweep(store, name="small", space_text="", jobs=jobs[::-1])
            begin_driving(store, "small", "host", 1)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(numbers)) == 21


@pytest.mark.parametrize("optuna_first", [True, False])
def test_the_store_lives_next_to_optunas_tables(url: str, optuna_first: bool) -> None:
    optuna = pytest.importorskip("optuna")
    address = url.replace("postgresql://", "postgresql+psycopg://")

    def study() -> None:
        storage = optuna.storages.RDBStorage(address)
        found = optuna.create_study(storage=storage, study_name="other", load_if_exists=True)
        found.tell(found.ask(), 1.0)
        assert found.best_value == 1.0
        storage.remove_session()
        storage.engine.dispose()

    if optuna_first:
        study()
        with pytest.raises(StoreMissing):
            open_store(url, upgrade=False)
    use(url)
    study()
    use(url)
    with open_store(url, upgrade=False) as store:
        assert sweep_names(store) == ["small"]
        assert {"alembic_version", "studies", "sweeps", VERSION_TABLE} <= set(inspect(store.engine).get_table_names())
