"""Removal of rows of the store and of artifacts of its jobs that are no longer needed. What a running driver's sweep holds always stays."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    Select,
    Table,
    Text,
    and_,
    cast,
    delete,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    update,
)

from orchestrator.store.connection.session import Store, chunks, rows_in, sweep_id
from orchestrator.store.leases.leases import living_sweeps, refuse_driven
from orchestrator.store.maintenance.held_rows import descendants_of, keys_of, owner, referring
from orchestrator.store.maintenance.owners import owners_of
from orchestrator.store.maintenance.stored_studies import count_trials, drop_studies, studies_of
from orchestrator.store.reading.result_rows import adopted_weights
from orchestrator.store.reading.study_trials import spare_states
from orchestrator.store.schema.base import Base, table_of
from orchestrator.store.schema.result_tables import AttackResultRecord, DiagnosisRecord, EnvironmentRecord
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobRecord, SweepJobRecord, SweepRecord
from orchestrator.store.writing.verdict_table import refresh_verdict, refresh_worst_cases
from workers.artifacts.artifacts import Artifacts

Keys = Sequence[str] | Sequence[int]


@dataclass(frozen=True)
class RemovalRequest:
    """Items to remove: sweeps by name, with the jobs that no other sweep holds and what was made from them; attempts that failed or were
    interrupted, except those of jobs that are failed now; `orphans`: jobs and studies in no sweep, environments of no result,
    artifacts and copies of adopted weights of no job; `rung_states`: checkpoints that rungs have kept, and that no training will resume
    from (see `spare_states`)."""

    sweeps: Sequence[str] = ()
    failed_attempts: bool = False
    orphans: bool = False
    rung_states: bool = False


@dataclass(frozen=True)
class PruneResult:
    """Number of rows or folders of a kind that are to be removed, or were (or stay, unless `force`), and about how many bytes they take."""

    kind: str
    number: int
    size: int
    stays: bool = False


def prune(
    store: Store, artifacts: Artifacts, wanted: RemovalRequest, *, kept: frozenset[str] = frozenset(), force: bool = False, really: bool
) -> list[PruneResult]:
    """List what would be removed or, `really`, remove it: the rows in one transaction, then the artifacts.

    Artifacts of the jobs `kept` (by another store, which shares the folder) stay, and so do those of databases that a marker names (see
    `owners.py`). Where one of these cannot be read, or this database has no marker, artifacts without a known owner are removed only by
    `force`; else they are listed as what stays.

    Raises:
        UserError: no such sweep, or a driver is running it; nothing is removed.
    """
    with store.writing() if really else store.reading() as connection:
        going = _Going.find(connection, wanted)
        before = _all_keys(connection)
        pruned = [found for column, keys in going.rows() if (found := _size(connection, column, keys)).number]
        if going.studies:
            pruned.append(PruneResult("trials of searches", *count_trials(connection, going.studies)))
        spare = spare_states(connection, artifacts) if wanted.rung_states else []
        if really:
            going.remove(connection)
    owners = owners_of(artifacts, store)
    stay = kept | owners.kept
    if really:
        with store.reading() as connection:
            stay |= _all_keys(connection)  # what was launched meanwhile is not to be lost
    gone = frozenset(going.jobs)
    orphans = [key for key in artifacts.all_keys() if key not in stay and (key in gone or (wanted.orphans and key not in before))]
    folders = [key for key in orphans if force or (not owners.unread and (owners.marked or key in gone))]
    if folders:
        pruned.append(PruneResult("artifacts", len(folders), sum(map(artifacts.size, folders))))
    if left := sorted({*orphans} - {*folders}):
        whose = f" (perhaps of {', '.join(owners.unread)})" if owners.unread else ""
        pruned.append(PruneResult(f"artifacts of unknown owners{whose}", len(left), sum(map(artifacts.size, left)), stays=True))
    if spare := [key for key in spare if key not in kept | owners.kept and key not in orphans and (force or not owners.unread)]:
        pruned.append(PruneResult("checkpoints of rungs", len(spare), sum(map(artifacts.checkpoint_size, spare))))
    if wanted.orphans and (force or (owners.marked and not (kept or owners.unread))):
        pruned += _without_weights(artifacts, owners.weights | adopted_weights(store, without=gone), really=really)
    for key in folders if really else ():
        artifacts.discard(key)
    for key in spare if really else ():
        artifacts.drop_checkpoint(key)
    return pruned


def _without_weights(artifacts: Artifacts, needed: frozenset[str], *, really: bool) -> Iterator[PruneResult]:
    """Remove the copies of weights that no job adopts; yield how many they are, if there are any."""
    spare = {digest: size for digest, size in artifacts.all_weights().items() if digest not in needed}
    if spare:
        yield PruneResult("copies of adopted weights", len(spare), sum(spare.values()))
    for digest in spare if really else ():
        artifacts.drop_weights(digest)


def _all_keys(connection: Connection) -> frozenset[str]:
    return frozenset(connection.execute(select(JobRecord.key)).scalars())


@dataclass(frozen=True)
class _Going:
    """Rows to remove, by the keys of what they belong to."""

    sweeps: Sequence[int]
    jobs: Sequence[str]
    attempts: Sequence[int]
    environments: Sequence[str]
    studies: Sequence[str]

    @classmethod
    def find(cls, connection: Connection, wanted: RemovalRequest) -> "_Going":
        sweeps = [_idle(connection, name) for name in wanted.sweeps]
        jobs = _jobs(sweeps, orphans=wanted.orphans)
        attempts = _failed_attempts(jobs, living_sweeps(connection)) if wanted.failed_attempts else select(AttemptRecord.id).where(false())
        environments = _unused(jobs) if wanted.orphans or sweeps else select(EnvironmentRecord.id).where(false())
        statements = (jobs, attempts, environments)
        keys = [[row[0] for row in connection.execute(one.order_by(*one.selected_columns))] for one in statements]
        return cls(sweeps, keys[0], keys[1], keys[2], studies_of(connection, sweeps, orphans=wanted.orphans))

    def rows(self) -> Iterator[tuple[Column[Any], Keys]]:
        """Yield the columns by whose values rows are removed, references before what they refer to."""
        yield table_of(AttemptRecord).c.id, self.attempts
        for table in reversed(Base.metadata.sorted_tables):
            if (sweep := owner(table, "sweeps.id")) is not None and sweep.primary_key:
                yield sweep, self.sweeps
            elif (job := owner(table, "jobs.key")) is not None:
                yield job, self.jobs
        yield table_of(EnvironmentRecord).c.id, self.environments
        yield table_of(JobRecord).c.key, self.jobs
        yield table_of(SweepRecord).c.id, self.sweeps

    def remove(self, connection: Connection) -> None:
        connection.execute(update(AttemptRecord).where(AttemptRecord.sweep_id.in_(self.sweeps)).values(sweep_id=None))
        drop_studies(connection, self.studies)
        models = self._models(connection)
        for column, keys in self.rows():
            for chunk in chunks(keys):
                connection.execute(delete(column.table).where(column.in_(chunk)))
        for key in models:
            refresh_worst_cases(connection, key)
            refresh_verdict(connection, key)

    def _models(self, connection: Connection) -> list[str]:
        """Return the models that stay and lose attacks or diagnoses."""
        found: set[str] = set()
        for record in (AttackResultRecord, DiagnosisRecord):
            found.update(row.model_key for row in rows_in(connection, select(record.model_key), record.job_key, self.jobs))
        return sorted(found - set(self.jobs))


def _idle(connection: Connection, name: str) -> int:
    """Return the number of a sweep that no living driver runs.

    Raises:
        UserError: no such sweep, or it is driven.
    """
    number = sweep_id(connection, name)
    refuse_driven(connection, name)
    return number


def _jobs(sweeps: Sequence[int], *, orphans: bool) -> Select[str]:
    """Select jobs that no other sweep holds: those of the sweeps with what was made from them, and, if wanted, those in no sweep at all."""
    others = select(SweepRecord.id).where(SweepRecord.id.not_in(sweeps))
    unheld = JobRecord.key.not_in(keys_of(others))
    theirs = JobRecord.key.in_(descendants_of(sweeps)) if sweeps else false()
    homeless = ~exists().where(SweepJobRecord.job_key == JobRecord.key) if orphans else false()
    return select(JobRecord.key).where(unheld, or_(theirs, homeless))


def _failed_attempts(jobs: Select[str], living: Collection[int]) -> Select[int]:
    """Select attempts without success, except those that explain a failed job, those of running sweeps and of removed jobs."""
    running = select(SweepJobRecord.job_key).where(SweepJobRecord.sweep_id.in_(living))
    told = select(JobRecord.key).where(JobRecord.state == "failed")
    key = AttemptRecord.job_key
    unsuccessful = AttemptRecord.outcome.in_(["failed", "interrupted"])
    return select(AttemptRecord.id).where(unsuccessful, key.not_in(running), key.not_in(told), key.not_in(jobs))


def _unused(jobs: Select[str]) -> Select[str]:
    """Select environments that only results to be removed refer to, or none."""
    used = []
    for column in referring(table_of(EnvironmentRecord)):
        job = owner(column.table, "jobs.key")
        stays = job.not_in(jobs) if job is not None else literal(True)
        used.append(exists().where(and_(column == EnvironmentRecord.id, stays)))
    return select(EnvironmentRecord.id).where(~or_(*used))


def _size(connection: Connection, column: Column[Any], keys: Keys) -> PruneResult:
    table = column.table
    counts = [connection.execute(select(func.count(), _bytes(table)).where(column.in_(chunk))).one() for chunk in chunks(keys)]
    return PruneResult(table.name, sum(count for count, _ in counts), sum(int(size or 0) for _, size in counts))


def _bytes(table: Table) -> ColumnElement[Any]:
    """Return the size of the rows' values as texts and bytes; a database adds its own."""
    sizes = [func.coalesce(func.length(_measurable(column)), 0) for column in table.columns]
    return func.sum(sum(sizes[1:], start=sizes[0]))


def _measurable(column: Column[Any]) -> ColumnElement[Any]:
    return column if isinstance(column.type, LargeBinary) else cast(column, Text)
