"""Optuna's study in the results store: its tables lie beside ours in the same database, under other names."""

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
    """Optuna's storage on the store's database; its tables are made where they are missing.

    It opens connections of its own, with the password that the store's engine has: on SQLite they wait for other writers as ours do, and
    as ours they leave it to the write-ahead log what a power cut costs. Transactions are the driver's own, begun by the first statement
    that writes; one that locked at once, as ours, would wait for itself, since Optuna reads its schema's revision on a second connection.
    No connection is tried before it is used, which would be one more message for each of Optuna's hundred statements a trial: the search
    bears that one fails.
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
