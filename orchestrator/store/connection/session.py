"""Opening of a store, check of its schema's revision, and look-ups of sweeps and parents."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Select, inspect, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from orchestrator.paths import shown_url
from orchestrator.store import migrations
from orchestrator.store.connection.engines import READ_OPTIONS, make_engine
from orchestrator.store.connection.urls import parse_url, scrubbed
from orchestrator.store.schema.sweep_tables import JobParentRecord, JobRecord, SweepJobRecord, SweepRecord
from orchestrator.terminal import hints
from workers.errors import UserError, did_you_mean

_SCHEMA_LOCK = 0x726F627573747377  # "robustsw": any number that no other program locks


_LONGEST = 200
_LOCKED = (
    "another process holds it, or its folder cannot lock files, as some network file systems cannot; wait, or put it on a local disk "
    "(--home), or use PostgreSQL (--store)"
)


opened_stores: list[URL] = []
"""The stores that this process has opened, for those who have to explain an error."""


class StoreMissing(UserError):  # noqa: N818 (it reads as what it says)
    """Error: no store at the URL yet."""


class StoreFailed(UserError):  # noqa: N818
    """Error: the database fails, or holds what cannot be read, which no other command line would mend."""

    exit_code = 1


@dataclass(frozen=True)
class Store:
    """Open store, a context manager: leaving it closes every connection, and tells an error of the database inside it in one line."""

    engine: Engine = field(repr=False)
    read_options: Mapping[str, Any]
    address: URL = field(repr=False)
    writable: bool = False

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            with _one_line(self.engine, self.address):
                if isinstance(error, SQLAlchemyError):
                    raise error
                if isinstance(error, Exception) and not isinstance(error, UserError):
                    self._refuse_damaged(error)
        finally:
            self.close()

    def _refuse_damaged(self, error: Exception) -> None:
        """Raise an error that comes of what the database holds as one line; not a fault of this program."""
        damaged = False
        if self.engine.dialect.name == "sqlite":
            with self.reading() as connection:
                damaged = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() != "ok"
        if damaged or (isinstance(error, ValueError) and not self.writable):
            said = " ".join(str(error).split())[:_LONGEST] or type(error).__name__
            advice = f"`{hints.command('db', 'check', at=self.address)}` says what is damaged"
            raise StoreFailed(f"store '{shown_url(self.address)}': holds what cannot be read: {said}; {advice}") from error

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection whose statements all see one moment of the database."""
        with self.engine.execution_options(**self.read_options).connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction: committed at the end, rolled back on an exception."""
        with self.engine.execution_options(writes=True).begin() as connection:
            yield connection


def open_store(url: str, *, upgrade: bool) -> Store:
    """Open the store at `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`.

    With `upgrade` it is made, or its schema brought up to date, where needed. Without, it is only read: SQLite is opened
    read-only and nothing is created.

    Raises:
        StoreMissing: no such SQLite file, or no tables of ours (only without `upgrade`).
        StoreFailed: the database cannot be reached or read.
        UserError: a malformed URL, a missing driver, or a schema of another revision.
    """
    address = parse_url(url)
    if address.get_backend_name() == "sqlite":
        _prepare_file(address, create=upgrade)
    engine = make_engine(address, writable=upgrade)
    try:
        with _one_line(engine, address):
            _check_schema(engine, address, upgrade=upgrade)
    except BaseException:
        engine.dispose()
        raise
    opened_stores.append(address)
    return Store(engine, READ_OPTIONS[engine.dialect.name], address, upgrade)


def schema_revision(url: str) -> str | None:
    """Return the revision of the store's schema, even an unknown one; None where a database has no tables of ours.

    Raises:
        StoreMissing: no such SQLite file.
        StoreFailed: the database cannot be reached or read.
        UserError: a malformed URL, or a missing driver.
    """
    address = parse_url(url)
    if address.get_backend_name() == "sqlite":
        _prepare_file(address, create=False)
    engine = make_engine(address, writable=False)
    try:
        with _one_line(engine, address), engine.connect() as connection:
            return _revision(connection)
    finally:
        engine.dispose()


@contextmanager
def _one_line(engine: Engine, address: URL) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        said = error.orig if isinstance(error, DBAPIError) else error.__cause__ or error
        line = scrubbed(str(said), engine.url)
        raise StoreFailed(f"store '{shown_url(address)}': {line}" + (f": {_LOCKED}" if "is locked" in line else "")) from (
            None if isinstance(error, DBAPIError) else error
        )


def _prepare_file(address: URL, *, create: bool) -> None:
    path = Path(address.database or "")
    if not create and not path.exists():
        raise StoreMissing(f"store '{shown_url(address)}': no such file; `{hints.command('launch', 'SPACE', at=address)}` makes it")
    if path.exists() and not path.is_file():
        raise UserError(f"store '{shown_url(address)}': is no file; give the database's own path")
    if create:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"store '{shown_url(address)}': cannot make the folder {path.parent}: {error.strerror}") from None


def _check_schema(engine: Engine, address: URL, *, upgrade: bool) -> None:
    with engine.connect() as connection:
        found = _revision(connection)
    newest = migrations.REVISIONS[-1]
    if found == newest:
        if upgrade:
            _renew_views(engine)
        return
    if found is not None and found not in migrations.REVISIONS:
        raise UserError(
            f"store '{shown_url(address)}': its schema is {found}, this robustsweep knows up to {newest}; use a newer robustsweep"
        )
    if upgrade:
        _upgrade(engine)
    elif found is None:
        raise StoreMissing(
            f"store '{shown_url(address)}': holds no sweeps yet; `{hints.command('launch', 'SPACE', at=address)}` makes its tables"
        )
    else:
        raise UserError(
            f"store '{shown_url(address)}': its schema is {found}, older than {newest}; "
            f"`{hints.command('db', 'upgrade', at=address)}` or the next launch upgrades it"
        )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(migrations.VERSION_TABLE):
        return None
    revision: str | None = connection.execute(text(f"SELECT version_num FROM {migrations.VERSION_TABLE}")).scalar()  # noqa: S608
    return revision


def _upgrade(engine: Engine) -> None:
    with engine.execution_options(writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SCHEMA_LOCK})
        migrations.upgrade(connection)


def _renew_views(engine: Engine) -> None:
    """Make the views anew where components were registered since that they have no columns for."""
    from orchestrator.store.schema.views import are_current, create_views, drop_views

    with engine.connect() as connection:
        if are_current(connection):
            return
    with engine.execution_options(writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SCHEMA_LOCK})
        drop_views(connection)
        create_views(connection)


T = TypeVar("T")
_CHUNK = 500  # SQLite takes only so many values in one statement


def sweep_id(connection: Connection, name: str) -> int:
    """Return the id of the sweep of that name.

    Raises:
        UserError: no such sweep; names the ones there are.
    """
    found = connection.execute(select(SweepRecord.id).where(SweepRecord.name == name)).scalar()
    if found is None:
        names = connection.execute(select(SweepRecord.name).order_by(SweepRecord.name)).scalars().all()
        raise UserError(f"sweep '{name}': " + (_one_of(name, names) if names else "the store holds no sweeps yet"))
    return found


def _one_of(name: str, names: Sequence[str]) -> str:
    return f"one of {', '.join(names)}{did_you_mean(name, names) if len(names) > 1 else ''}"


def of_sweep(
    statement: Select[*tuple[Any, ...]], key: Any, sweep: int | None, *, every_space: bool = False, few: bool = False
) -> Select[*tuple[Any, ...]]:
    """Restrict the statement to the jobs of the sweep as it was last launched, or of `every_space` that it has had; `key` is the column of
    their keys. For None: to the jobs of each sweep.

    Where the statement names `few` jobs by itself, the database looks these up in the sweep; SQLite, which keeps no statistics, would go
    through all jobs of the sweep.
    """
    joined = statement.join(SweepJobRecord, SweepJobRecord.job_key == key)
    joined = joined if every_space else joined.where(SweepJobRecord.in_space)
    if sweep is None:
        return joined
    return joined.where((SweepJobRecord.sweep_id + 0 if few else SweepJobRecord.sweep_id) == sweep)


def parents_of(connection: Connection, keys: Iterable[str], *, role: str) -> dict[str, str]:
    """Return the parents that these jobs have in a role, by the children's keys."""
    edges = select(JobParentRecord.child_key, JobParentRecord.parent_key).where(JobParentRecord.role == role)
    return {row.child_key: row.parent_key for row in rows_in(connection, edges, JobParentRecord.child_key, keys)}


def rows_in(connection: Connection, statement: Select[*tuple[Any, ...]], column: Any, keys: Iterable[str]) -> Iterator[Any]:
    """Yield the rows of the statement in whose column is one of the keys, asked for in parts that one statement takes."""
    for chunk in chunks(sorted(set(keys))):
        yield from connection.execute(statement.where(column.in_(chunk)))


def known_jobs(connection: Connection, keys: Iterable[str]) -> set[str]:
    """Return those of the keys that are of jobs in the store."""
    return {key for (key,) in rows_in(connection, select(JobRecord.key), JobRecord.key, keys)}


def chunks(keys: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the keys in parts that one statement takes, in their order."""
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]
