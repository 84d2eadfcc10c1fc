"""Optuna's storage in the results store: its tables are in the same database as ours, under other names."""

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.storages import BaseStorage, RDBStorage, get_storage
from optuna.study import Study
from sqlalchemy import event

from orchestrator.store import Store

BUSY_SECONDS = 30


@contextmanager
def study_storage(store: Store) -> Iterator[BaseStorage]:
    """Open Optuna's storage on the store's database; missing tables are created.

    It opens connections of its own, with the password of the store's engine: on SQLite they have the same lock timeout as ours, and
    the same durability, `synchronous=NORMAL` with the write-ahead log. Transactions are those of the database driver, begun by the first
    statement that writes; one that locked at once, as ours do, would deadlock, since Optuna reads its schema's revision on a second
    connection. Connections are not tested before use, which would be one more message for each of Optuna's hundred statements per trial:
    the search handles a connection that fails.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sqlite = store.engine.dialect.name == "sqlite"
    options: dict[str, Any] = {"connect_args": {"timeout": BUSY_SECONDS}} if sqlite else {}
    with warnings.catch_warnings(action="ignore"):
        backend = RDBStorage(store.engine.url.render_as_string(hide_password=False), engine_kwargs=options)
    try:
        if sqlite:
            event.listen(backend.engine, "connect", _set_up)
            backend.engine.dispose()
        yield get_storage(backend)
    finally:
        backend.remove_session()
        backend.engine.dispose()


def trial_id(storage: BaseStorage, study: Study, number: int) -> int:
    """The storage's own id of a trial, by its number in the study."""
    return storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(study.study_name), number)


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous=NORMAL").close()
