"""Optuna's storage in the results store: its tables are in the same database as ours, under other names. What a database error
interrupts is repeated, for a limited time."""

import sqlite3
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from alembic.util.exc import CommandError
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage, get_storage
from optuna.study import Study
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.store import Store
from workers.errors import UserError

BUSY_SECONDS = 30
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)


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
        backend = open_tables(store, engine_kwargs=options)
    try:
        if sqlite:
            event.listen(backend.engine, "connect", _set_up)
            backend.engine.dispose()
        yield get_storage(backend)
    finally:
        backend.remove_session()
        backend.engine.dispose()


def open_tables(store: Store, **options: Any) -> RDBStorage:
    """Open Optuna's tables in the store's database. Searches that make them at the same time fail at what the other has just made: all but
    one try again.

    Raises:
        UserError: the tables are of another Optuna.
        SQLAlchemyError: the database fails, again and again.
    """
    for pause in (*_PAUSES, None):
        try:
            return RDBStorage(store.engine.url.render_as_string(hide_password=False), **options)
        except SQLAlchemyError:
            if pause is None:
                raise
            time.sleep(pause)
        except (CommandError, RuntimeError) as error:  # a revision that is not Optuna's, or not that of the one installed
            raise UserError(f"the searches' tables in the database: {' '.join(str(error).split())}") from None
    raise AssertionError("the last try has raised or returned")


def trial_id(storage: BaseStorage, study: Study, number: int) -> int:
    """The storage's own id of a trial, by its number in the study."""
    return storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(study.study_name), number)


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous=NORMAL").close()


DATABASE_ERRORS = (SQLAlchemyError, StorageInternalError)

_RETRY_SECONDS = 2.0
_TIMEOUT_SECONDS = 600.0


class DatabaseRetry:
    """Time of the next retry, and duration of the failures so far."""

    def __init__(self) -> None:
        self._failing_since: float | None = None
        self._retry_at = 0.0

    @property
    def is_due(self) -> bool:
        """True where the database may be used now."""
        return time.monotonic() >= self._retry_at

    def succeeded(self) -> None:
        self._failing_since = None

    def failed(self) -> None:
        now = time.monotonic()
        self._retry_at = now + _RETRY_SECONDS
        self._failing_since = self._failing_since or now

    @property
    def timeout(self) -> float | None:
        """Timeout in seconds once it has passed without a success; None before."""
        lasting = self._failing_since is not None and time.monotonic() - self._failing_since > _TIMEOUT_SECONDS
        return _TIMEOUT_SECONDS if lasting else None
