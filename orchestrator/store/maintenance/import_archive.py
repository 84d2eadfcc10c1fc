"""Import of an exported folder into a store. Like the modules of `writing` and `prune.py`, this one writes rows.

What both have stays as the store has it: a job is the same by its key, an attempt by its job and the moment it started, a sweep by its
name. Of two sweeps of one name the space that was launched later counts; jobs that only the other holds stay as out of the space.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, case, func, select, text, union, update
from sqlalchemy.exc import DataError, IntegrityError

from orchestrator.store.connection.session import Store
from orchestrator.store.leases.leases import refuse_driven
from orchestrator.store.maintenance.archive_format import read_manifest, read_rows
from orchestrator.store.maintenance.bulk_insert import insert_new, insert_or_return
from orchestrator.store.maintenance.row_checks import check_rows
from orchestrator.store.migrations.key_version_1 import LAST_REVISION, attack_result, diagnosis, trained_model
from orchestrator.store.schema.base import Base, Row, table_of
from orchestrator.store.schema.result_tables import AttackResultRecord, DiagnosisRecord, TrainedModelRecord, VerdictRecord, WorstCaseRecord
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobRecord, SweepEpsilonRecord, SweepJobRecord, SweepRecord
from orchestrator.store.writing.record import insert_ignoring
from orchestrator.store.writing.verdict_table import refresh_verdict, refresh_worst_cases
from workers.errors import UserError, describe

_IMPORT_LOCK = 0x726F62696D706F72  # "robimpor"
_PROGRESS = {"planned": 0, "failed": 1, "done": 2}
_FINISHED = ("done", "failed")


@dataclass(frozen=True)
class Merged:
    """Number of rows of a table in the folder, and number of those that were new to the store."""

    table: str
    rows: int
    new: int


def import_folder(store: Store, folder: Path) -> list[Merged]:
    """Merge the folder into the store, in one transaction; doing it again changes nothing.

    Raises:
        UserError: a damaged or newer folder, or a driver is running one of its sweeps; nothing is changed.
    """
    manifest = read_manifest(folder)
    with store.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _IMPORT_LOCK})
        measured = union(*(select(record.model_key) for record in (AttackResultRecord, DiagnosisRecord)))
        attacked = frozenset(connection.execute(measured).scalars())
        judged = frozenset(connection.execute(select(VerdictRecord.model_key)).scalars())
        merge = _Merge(connection, attacked, judged, of_key_version_1=manifest.schema_revision <= LAST_REVISION)
        merged = [
            merge.checked(table, folder / manifest.tables[table.name].file)
            for table in Base.metadata.sorted_tables
            if table.name in manifest.tables
        ]
        if any(table.new for table in merged):
            merge.refresh()
    return merged


@dataclass
class _Merge:
    """One import. `sweeps` and `spaces` map a sweep's number in the folder to its number here and to the side whose space counts;
    `attacked` are the models that the store had attacks on or diagnoses of before, `widened` those of which the folder has some too;
    `judged` are those that had a verdict before, `measured` those of which the folder has attacks or diagnoses."""

    connection: Connection
    attacked: frozenset[str]
    judged: frozenset[str]
    of_key_version_1: bool = False
    widened: set[str] = field(default_factory=set)
    measured: set[str] = field(default_factory=set)
    sweeps: dict[int, int] = field(default_factory=dict)
    spaces: dict[int, str] = field(default_factory=dict)

    def checked(self, table: Table, path: Path) -> Merged:
        """Merge a table.

        Raises:
            UserError: it refers to rows that are not there, or holds what cannot be read; nothing is changed.
        """
        try:
            return self.table(table, path)
        except (IntegrityError, DataError) as error:
            raise UserError(f"import {path}: {describe(error.orig or error)}") from None
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise UserError(f"import {path}: its rows do not go together: {describe(error)}") from None

    def table(self, table: Table, path: Path) -> Merged:
        special: Mapping[str, Callable[[list[Row]], None]] = {
            SweepRecord.__tablename__: self._sweeps,
            JobRecord.__tablename__: self._jobs,
            SweepJobRecord.__tablename__: self._sweep_jobs,
            SweepEpsilonRecord.__tablename__: self._sweep_epsilons,
            AttemptRecord.__tablename__: self._attempts,
            AttackResultRecord.__tablename__: self._attack_results,
            DiagnosisRecord.__tablename__: self._diagnoses,
            WorstCaseRecord.__tablename__: self._worst_cases,
        }
        before, rows = self._count(table), 0
        for chunk in map(self._as_today(table), read_rows(path, table)):
            check_rows(str(path), table, chunk)
            if (merge := special.get(table.name)) is not None:
                merge(chunk)
            else:
                insert_new(self.connection, table, chunk)
            rows += len(chunk)
        return Merged(table.name, rows, self._count(table) - before)

    def _as_today(self, table: Table) -> Callable[[list[Row]], list[Row]]:
        """Return the function that makes rows of today's table from rows of the folder; their jobs are there already."""
        if not self.of_key_version_1:
            return lambda rows: rows
        if table.name == TrainedModelRecord.__tablename__:
            return self._trained_models
        one: Callable[[Row], Row] = {AttackResultRecord.__tablename__: attack_result, DiagnosisRecord.__tablename__: diagnosis}.get(
            table.name, lambda row: row
        )
        return lambda rows: list(map(one, rows))

    def _trained_models(self, rows: list[Row]) -> list[Row]:
        keys = [row["job_key"] for row in rows]
        found = self.connection.execute(select(JobRecord.key, JobRecord.spec).where(JobRecord.key.in_(keys)))
        specs = {row.key: row.spec for row in found}
        return [trained_model(row, specs[row["job_key"]]) for row in rows]

    def _count(self, table: Table) -> int:
        return self.connection.execute(select(func.count()).select_from(table)).scalar_one()

    def _sweeps(self, rows: list[Row]) -> None:
        for row in rows:
            number = row.pop("id")
            row.setdefault("command", None)  # archives of earlier versions have none
            row.update(dict.fromkeys(("heartbeat_at", "driver_token", "driver_process")))  # its driver does not drive it here
            known = self.connection.execute(select(table_of(SweepRecord)).where(SweepRecord.name == row["name"])).mappings().one_or_none()
            if known is None:
                self.spaces[number] = "theirs"
                inserted = self.connection.execute(table_of(SweepRecord).insert().values(row).returning(SweepRecord.id))
                self.sweeps[number] = inserted.scalar_one()
            else:
                refuse_driven(self.connection, row["name"])
                self.sweeps[number], self.spaces[number] = known["id"], _newer(known, row)
                self._update_sweep(known, row, whose=self.spaces[number])

    def _update_sweep(self, known: RowMapping, row: Row, *, whose: str) -> None:
        created = {"created_at": min(known["created_at"], row["created_at"])}
        values = row | created if whose == "theirs" else created
        self.connection.execute(update(SweepRecord).where(SweepRecord.id == known["id"]).values(values))
        if whose == "theirs":
            self.connection.execute(update(SweepJobRecord).where(SweepJobRecord.sweep_id == known["id"]).values(in_space=False))

    def _jobs(self, rows: list[Row]) -> None:
        """Insert jobs; a job that both stores have takes the further one of its two states."""
        if not (held := insert_or_return(self.connection, table_of(JobRecord), rows)):
            return
        statement = insert_ignoring(self.connection, table_of(JobRecord))
        further = case(_PROGRESS, value=statement.excluded.state) > case(_PROGRESS, value=JobRecord.state)
        changed = {"state": statement.excluded.state}
        self.connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=changed, where=further), held)

    def _sweep_jobs(self, rows: list[Row]) -> None:
        theirs: list[Row] = []
        others: list[Row] = []
        for row in rows:
            whose = self.spaces[row["sweep_id"]]
            held = row | {"sweep_id": self.sweeps[row["sweep_id"]], "in_space": row["in_space"] and whose != "ours"}
            (theirs if whose == "theirs" else others).append(held)
        insert_new(self.connection, table_of(SweepJobRecord), others)
        if theirs := insert_or_return(self.connection, table_of(SweepJobRecord), theirs):
            statement = insert_ignoring(self.connection, table_of(SweepJobRecord))
            changed = {"in_space": statement.excluded.in_space}
            self.connection.execute(statement.on_conflict_do_update(index_elements=["sweep_id", "job_key"], set_=changed), theirs)

    def _sweep_epsilons(self, rows: list[Row]) -> None:
        """Insert how sweeps write epsilons; where both stores do, as the side does whose space counts."""
        statement = insert_ignoring(self.connection, table_of(SweepEpsilonRecord))
        changed = {"literal": statement.excluded.literal}
        replacing = statement.on_conflict_do_update(index_elements=["sweep_id", "epsilon"], set_=changed)
        for row in rows:
            theirs = self.spaces[row["sweep_id"]] == "theirs"
            mapped = row | {"sweep_id": self.sweeps[row["sweep_id"]]}
            self.connection.execute(replacing if theirs else statement.on_conflict_do_nothing(), [mapped])

    def _attack_results(self, rows: list[Row]) -> None:
        insert_new(self.connection, table_of(AttackResultRecord), rows)
        self._note_measured(rows)

    def _diagnoses(self, rows: list[Row]) -> None:
        insert_new(self.connection, table_of(DiagnosisRecord), rows)
        self._note_measured(rows)

    def _note_measured(self, rows: list[Row]) -> None:
        models = {row["model_key"] for row in rows}
        self.widened |= models & self.attacked
        self.measured |= models

    def _worst_cases(self, rows: list[Row]) -> None:
        """Insert worst cases; those of a model that the store has measured too are computed from the attacks of both instead."""
        insert_new(self.connection, table_of(WorstCaseRecord), [row for row in rows if row["model_key"] not in self.attacked])

    def refresh(self) -> None:
        """Bring up to date what is derived from the results of both."""
        for key in sorted(self.widened):
            refresh_worst_cases(self.connection, key)
        now = frozenset(self.connection.execute(select(VerdictRecord.model_key)).scalars())
        for key in sorted(self.measured & self.judged | self.measured - now):
            refresh_verdict(self.connection, key)

    def _attempts(self, rows: list[Row]) -> None:
        """Insert attempts, with their number where it is free; one that the store saw running or interrupted takes the end that it had."""
        known, numbers = self._known_attempts({row["job_key"] for row in rows})
        new = []
        for row in rows:
            del row["id"]
            row["sweep_id"] = self.sweeps.get(row["sweep_id"])
            if row["outcome"] == "running":
                row["outcome"] = "interrupted"  # its end will not be recorded here
            taken, identity = numbers[row["job_key"]], (row["job_key"], row["started_at"])
            if identity in known:
                self._finish(known[identity], row)
                continue
            row["number"] = row["number"] if row["number"] not in taken else max(taken) + 1
            taken.add(row["number"])
            new.append(row)
        insert_new(self.connection, table_of(AttemptRecord), new)

    def _known_attempts(self, keys: set[str]) -> tuple[dict[tuple[str, Any], Any], dict[str, set[int]]]:
        columns = AttemptRecord.id, AttemptRecord.job_key, AttemptRecord.started_at, AttemptRecord.number, AttemptRecord.outcome
        found = self.connection.execute(select(*columns).where(AttemptRecord.job_key.in_(keys))).all()
        numbers: dict[str, set[int]] = defaultdict(set)
        for row in found:
            numbers[row.job_key].add(row.number)
        return {(row.job_key, row.started_at): row for row in found}, numbers

    def _finish(self, known: Any, row: Row) -> None:
        if known.outcome not in _FINISHED and row["outcome"] in _FINISHED:
            ends = ("outcome", "finished_at", "error", "traceback", "peak_memory")
            ended = {name: row[name] for name in ends if name in row}  # an older store's have no `peak_memory`
            self.connection.execute(update(AttemptRecord).where(AttemptRecord.id == known.id).values(ended))


def _newer(known: RowMapping, row: Row) -> str:
    """Return the side whose space counts; `both` where it is the same one."""
    here, there = (found["launched_at"] or found["created_at"] for found in (dict(known), row))
    if here == there and known["space"] == row["space"]:
        return "both"
    return "theirs" if there > here else "ours"
