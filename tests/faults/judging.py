"""What a disturbed sweep has in the end, held against an undisturbed one: what is lost, what was done twice, what lies about."""

import hashlib
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.faults.sweeps import Sweep, Watch

_RESULTS = ("trained_models", "clean_results", "crafted_examples", "attack_results", "diagnoses", "surfaces", "verdicts", "worst_cases")
_OWN = {"seconds", "environment_id", "finished_at", "judged_at"}  # what two runs of one computation may differ in
_KEPT = {"job.json", "result.json"}
Row = dict[str, Any]


@dataclass(frozen=True)
class Account:
    """Job keys that are lost or repeated, and files that nobody needs; all empty after a fault that did no harm."""

    lost: list[str]
    repeated: list[str]
    left: list[str]

    @property
    def clean(self) -> bool:
        return not (self.lost or self.repeated or self.left)


def account(sweep: Sweep, quiet: Sweep, watch: Watch, *, clock: bool = True) -> Account:
    """Judge a sweep that has run to its end.

    A job is lost if its rows are not those of the quiet run, byte for byte, or it is not done. It is repeated if its result was
    written twice, if more than one attempt says that it finished it, or (with a `clock` that only goes forward) if an attempt at it
    was begun when its result was there already. An attempt that was killed half way is no repeat.
    """
    return Account(lost=_lost(sweep, quiet), repeated=_repeated(sweep, watch, clock=clock), left=left_over(sweep))


def results(sweep: Sweep) -> dict[str, list[Row]]:
    """Every row of every table of results, sorted, without when and where it was computed."""
    return {table: sorted(_rows(sweep, table), key=str) for table in _RESULTS}


def attempts(sweep: Sweep) -> dict[str, list[tuple[str, datetime]]]:
    """Outcome and beginning of every attempt, in order, by job key."""
    found: dict[str, list[tuple[str, datetime]]] = {}
    for row in select(sweep, "SELECT job_key, outcome, started_at FROM attempts ORDER BY id"):
        found.setdefault(row["job_key"], []).append((row["outcome"], datetime.fromisoformat(row["started_at"]).replace(tzinfo=UTC)))
    return found


def running_attempts(sweep: Sweep, *, since: float) -> list[float]:
    """How long each attempt begun `since` (seconds since 1970) has been at work without its job being saved: what a kill would undo."""
    began = select(sweep, "SELECT job_key, started_at FROM attempts WHERE outcome = 'running'") if sweep.database.exists() else []
    starts = {row["job_key"]: datetime.fromisoformat(row["started_at"]).replace(tzinfo=UTC).timestamp() for row in began}
    return [sweep.seconds_unsaved(key, start) for key, start in starts.items() if start >= since]


def left_over(sweep: Sweep) -> list[str]:
    """Temporary files, and in the folders of finished jobs whatever is not in their results: checkpoints, progress."""
    left = set(sweep.half_written())
    for path in sweep.artifacts.glob("*/result.json"):
        known = set(json.loads(path.read_text())["files"].values())
        others = (found for found in path.parent.iterdir() if found.name not in _KEPT)
        left |= {found for found in others if hashlib.sha256(found.read_bytes()).hexdigest() not in known}
    return sorted(str(path.relative_to(sweep.artifacts)) for path in left)


def _lost(sweep: Sweep, quiet: Sweep) -> list[str]:
    states = {row["key"]: row["state"] for row in select(sweep, "SELECT key, state FROM jobs")}
    undone = {row["key"] for row in select(quiet, "SELECT key FROM jobs") if states.get(row["key"]) != "done"}
    return sorted(undone | _differing(results(sweep), results(quiet)))


def _differing(found: dict[str, list[Row]], expected: dict[str, list[Row]]) -> set[str]:
    pairs = ((row, table) for table, rows in expected.items() for row in rows)
    return {row.get("job_key", row.get("model_key", "?")) for row, table in pairs if row not in found[table]}


def _repeated(sweep: Sweep, watch: Watch, *, clock: bool) -> list[str]:
    twice = {key for key, stamps in watch.stamps.items() if len(stamps) > 1}
    began = attempts(sweep)
    twice |= {key for key, tried in began.items() if [outcome for outcome, _ in tried].count("done") > 1}
    if clock:
        ends = {key: datetime.fromtimestamp(written / 1e9, tz=UTC) for key, (_, written) in sweep.finished().items()}
        twice |= {key for key, tried in began.items() if key in ends and any(start > ends[key] for _, start in tried)}
    return sorted(twice)


def _rows(sweep: Sweep, table: str) -> list[Row]:
    return [{name: value for name, value in row.items() if name not in _OWN} for row in select(sweep, f"SELECT * FROM {table}")]


def select(sweep: Sweep, statement: str) -> list[Row]:
    """The rows that a statement finds in the sweep's database."""
    with closing(sqlite3.connect(sweep.database)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(statement)]
