"""What a disturbed sweep has in the end, held against an undisturbed one: what is lost, what was done twice, what lies about."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Select, select

from orchestrator.store import open_store
from orchestrator.store.schema.base import Base
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobRecord
from tests.faults.sweeps import Stored, Sweep, Watch, finished, half_written

_RESULTS = ("trained_models", "clean_results", "crafted_examples", "attack_results", "diagnoses", "surfaces", "verdicts", "worst_cases")
_OWN = {"seconds", "environment_id", "finished_at", "judged_at"}  # what two runs of one computation may differ in
_KEPT = {"job.json", "result.json"}
Row = dict[str, Any]


@dataclass(frozen=True)
class Account:
    """Job keys that are lost or repeated, and files that are not needed; all empty after a fault that did no harm."""

    lost: list[str]
    repeated: list[str]
    left: list[str]

    @property
    def clean(self) -> bool:
        return not (self.lost or self.repeated or self.left)


Judge = Callable[..., Account]


@dataclass(frozen=True)
class Kept:
    """What is left of a sweep, wherever its database and its artifacts are."""

    url: str
    artifacts: Path


def account(sweep: Stored, quiet: Stored, watch: Watch | None = None, *, clock: bool = True, damaged: Collection[str] = ()) -> Account:
    """Judge a sweep that has run to its end.

    A job is lost if its rows are not those of the quiet run, byte for byte, or it is not done. It is repeated if its result was
    written twice (while a `watch` looked), if more than one attempt says that it finished it, or (with a `clock` that only goes forward)
    if an attempt at it was begun when its result was there already. An attempt that was killed half way is no repeat, nor is the one
    attempt more at each of the jobs whose files the fault `damaged`.
    """
    if watch is not None:
        watch.note()
    repeated = _repeated(sweep, watch, clock=clock, damaged=damaged)
    return Account(lost=_lost(sweep, quiet), repeated=repeated, left=left_over(sweep.artifacts))


def results(sweep: Stored) -> dict[str, list[Row]]:
    """Every row of every table of results, sorted, without when and where it was computed."""
    return {table: sorted(_rows(sweep, table), key=str) for table in _RESULTS}


def attempts(sweep: Stored) -> dict[str, list[tuple[str, datetime]]]:
    """Outcome and beginning of every attempt, in order, by job key."""
    found: dict[str, list[tuple[str, datetime]]] = {}
    columns = AttemptRecord.job_key, AttemptRecord.outcome, AttemptRecord.started_at
    for row in _select(sweep, select(*columns).order_by(AttemptRecord.id)):
        found.setdefault(row["job_key"], []).append((row["outcome"], row["started_at"]))
    return found


def running_attempts(sweep: Sweep, *, since: float) -> list[float]:
    """How long each attempt begun `since` (seconds since 1970) has been at work without its job being saved: what a kill would undo."""
    if not sweep.database.exists():
        return []
    with closing(sqlite3.connect(sweep.database)) as connection:
        began = connection.execute("SELECT job_key, started_at FROM attempts WHERE outcome = 'running'").fetchall()
    starts = {key: datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp() for key, start in began}
    return [sweep.seconds_unsaved(key, start) for key, start in starts.items() if start >= since]


def left_over(artifacts: Path) -> list[str]:
    """Temporary files, and in the folders of finished jobs whatever is not in their results: checkpoints, progress."""
    left = set(half_written(artifacts))
    for path in artifacts.glob("*/*/result.json"):
        known = set(json.loads(path.read_text())["files"].values())
        others = (found for found in path.parent.iterdir() if found.name not in _KEPT)
        left |= {found for found in others if hashlib.sha256(found.read_bytes()).hexdigest() not in known}
    return sorted(str(path.relative_to(artifacts)) for path in left)


def _lost(sweep: Stored, quiet: Stored) -> list[str]:
    of_sweep, of_quiet = (
        {row["key"]: row["state"] for row in _select(one, select(JobRecord.key, JobRecord.state))} for one in (sweep, quiet)
    )
    undone = {key for key in of_quiet if of_sweep.get(key) != "done"}
    return sorted(undone | _differing(results(sweep), results(quiet)))


def _differing(found: dict[str, list[Row]], expected: dict[str, list[Row]]) -> set[str]:
    pairs = ((row, table) for table, rows in expected.items() for row in rows)
    return {row.get("job_key", row.get("model_key", "?")) for row, table in pairs if row not in found[table]}


def _repeated(sweep: Stored, watch: Watch | None, *, clock: bool, damaged: Collection[str]) -> list[str]:
    began, stamps = attempts(sweep), {} if watch is None else watch.stamps
    twice = {key for key, found in stamps.items() if len(found) > _times(key, damaged)}
    twice |= {key for key, tried in began.items() if [outcome for outcome, _ in tried].count("done") > _times(key, damaged)}
    if clock:
        ends = {key: datetime.fromtimestamp(written / 1e9, tz=UTC) for key, (_, written) in finished(sweep.artifacts).items()}
        twice |= {key for key, tried in began.items() if key in ends and any(start > ends[key] for _, start in tried)}
    return sorted(twice)


def _times(key: str, damaged: Collection[str]) -> int:
    """How often the job is to be done: once more if its files were damaged."""
    return 2 if key in damaged else 1


def _rows(sweep: Stored, table: str) -> list[Row]:
    found = _select(sweep, select(Base.metadata.tables[table]))
    return [{name: value for name, value in row.items() if name not in _OWN} for row in found]


def _select(sweep: Stored, statement: Select[Any]) -> list[Row]:
    """The rows that a statement finds in the sweep's database."""
    with open_store(sweep.url, upgrade=False) as store, store.reading() as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]
