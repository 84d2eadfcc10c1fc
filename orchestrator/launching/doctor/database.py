"""Checks that results can be written: the database is there, of the right schema, writable, its clock
agrees, and no other driver runs the sweep."""

import os
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from sqlalchemy import false, select, update

from orchestrator.launching.doctor.disk import nearest
from orchestrator.launching.doctor.results_of_checks import CheckResult
from orchestrator.paths import shown_url
from orchestrator.store import Store, StoreMissing, migrations, open_store, schema_revision
from orchestrator.store.connection.urls import parse_url
from orchestrator.store.leases.leases import LeaseHolder, age, database_now, find_holder, is_alive, living_sweeps, refusal
from orchestrator.store.schema.sweep_tables import SweepRecord
from orchestrator.temp_folder import temp_folder
from orchestrator.terminal import hints

ALLOWED = 5.0
"""Largest difference without a warning, in seconds."""


def compare_clocks(there: float, here: float, *, whose: str) -> list[CheckResult]:
    """Compare two clocks in one line; both are seconds of the epoch, read at the same moment."""
    difference = there - here
    if abs(difference) <= ALLOWED:
        return [CheckResult("ok", "clock", f"{whose} is that of this machine to within {ALLOWED:g} s")]
    found = f"{whose} is {abs(difference):,.0f} s {'ahead of' if difference > 0 else 'behind'} this machine's"
    return [CheckResult("warning", "clock", found, "set both by a time server (NTP): recorded times would be inconsistent")]


REACH = "check --store (or ROBUSTSWEEP_STORE), that the server runs and accepts this user (PGPASSWORD, ~/.pgpass)"
_LOCKABLE = (
    "stop what holds it; a folder that cannot lock files (some network file systems) needs another --home, or --store postgresql://..."
)
_PATIENCE = 2.0  # seconds: a driver holds the lock for a moment at a time
_WRITABLE = "give the database's user the rights to write, or another --store"


def database_file(url: str) -> Path | None:
    """Return the file of an SQLite store; None for another database.

    Raises:
        UserError: the URL is malformed.
    """
    address = parse_url(url)
    return Path(address.database or "").absolute() if address.get_backend_name() == "sqlite" else None


def check_database(url: str, sweep: str | None) -> list[CheckResult]:
    """Check the store at `url`, and make or change nothing there; `sweep` names the one that is to be launched.

    Raises:
        UserError: the URL is malformed, or the database cannot be reached.
    """
    try:
        revision = schema_revision(url)
    except StoreMissing:
        return [_absent(url)]
    place, newest = shown_url(parse_url(url)), migrations.REVISIONS[-1]
    if revision is None:
        return [CheckResult("ok", "database", f"{place} holds no sweeps yet: `launch` makes its tables")]
    if revision not in migrations.REVISIONS:
        found = f"{place}: its schema is {revision}, this robustsweep knows up to {newest}"
        return [CheckResult("wrong", "database", found, "use the robustsweep that made it, or a newer one")]
    if revision != newest:
        found = f"{place}: its schema is {revision}, older than {newest}"
        upgrade = f"`{hints.command('db', 'upgrade', at=parse_url(url))}`"
        return [CheckResult("warning", "database", found, f"{upgrade}, or the next launch, upgrades it; back it up before")]
    with open_store(url, upgrade=False) as store:
        return [_writable(store, place, revision), *_clock(store), *_driven(store, sweep)]


def _absent(url: str) -> CheckResult:
    place, path = shown_url(parse_url(url)), database_file(url)
    folder = nearest((path or Path()).parent)
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        found = f"{place} cannot be made: {folder} is no folder that can be written"
        return CheckResult("wrong", "database", found, "give another --home or --store")
    with temp_folder(folder, prefix=".robustsweep-doctor-") as trial:
        if refused := _unlockable(Path(trial) / "results.db"):
            return CheckResult("wrong", "database", f"{place} could not be used: {folder}: {refused}", _LOCKABLE)
    return CheckResult("ok", "database", f"{place} is not there yet: `launch` makes it")


def _writable(store: Store, place: str, revision: str) -> CheckResult:
    if (file := database_file(store.address.render_as_string(hide_password=False))) is not None:
        writable = all(os.access(path, os.W_OK) for path in (file, file.parent))
        reason = "it, or its folder, cannot be written"
        if writable and (refused := _unlockable(file)):
            return CheckResult("wrong", "database", f"{place}: {refused}", _LOCKABLE)
    else:
        reason = _refused(store)
        writable = not reason
    if not writable:
        return CheckResult("wrong", "database", f"{place}: {reason}", _WRITABLE)
    return CheckResult("ok", "database", f"{place}, schema {revision}, can be written")


def _unlockable(path: Path) -> str:
    """Return why an SQLite file cannot be locked for writing; empty where it can. Its content stays as it is."""
    try:
        with closing(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE").connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        return str(error)
    return ""


def _refused(store: Store) -> str:
    """Return why the server refuses changes by this user; empty where it accepts them. No row is touched."""
    from sqlalchemy.exc import DBAPIError

    try:
        with store.writing() as connection:
            connection.execute(update(SweepRecord).where(false()).values(driver_token=None))
    except DBAPIError as error:
        return next(iter(str(error.orig).splitlines()), "it cannot be written")
    return ""


def _clock(store: Store) -> list[CheckResult]:
    """Compare the database's clock with this machine's; SQLite has no other."""
    if store.engine.dialect.name == "sqlite":
        return []
    with store.reading() as connection:
        connection.execute(select(1))
        before = time.time()
        there = database_now(connection).timestamp()
        return compare_clocks(there, (before + time.time()) / 2, whose="the database's")


def _driven(store: Store, sweep: str | None) -> list[CheckResult]:
    with store.reading() as connection:
        if sweep is None:
            driven = living_sweeps(connection)
            names = sorted(connection.execute(select(SweepRecord.name).where(SweepRecord.id.in_(driven))).scalars())
            return [CheckResult("ok", "driver", f"running: {', '.join(names)}" if names else "no sweep is running")]
        holder, now = find_holder(connection, sweep), database_now(connection)
    if holder is None or holder.heartbeat_at is None:
        return [CheckResult("ok", "driver", f"no driver runs sweep {sweep}")]
    if is_alive(holder.heartbeat_at, holder.process, now=now):
        return [CheckResult("warning", "driver", refusal(sweep, holder, now=now))]
    return [CheckResult("ok", "driver", _silent(sweep, holder, now - holder.heartbeat_at))]


def _silent(sweep: str, holder: LeaseHolder, silence: timedelta) -> str:
    return f"sweep {sweep}: {holder.who} has been silent for {age(silence)} and will be considered dead: `launch` takes over"
