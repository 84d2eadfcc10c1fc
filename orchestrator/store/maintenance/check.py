"""Checks of a store's consistency, with the problems found and advice. Reads only; `repair.py` mends what artifacts can."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection, exists, func, or_, select, union

from orchestrator.store.connection.session import Store
from orchestrator.store.leases.leases import age, database_now, find_holder, is_alive, living_sweeps
from orchestrator.store.maintenance.row_checks import flags_problem
from orchestrator.store.maintenance.wrong_values import wrong_values
from orchestrator.store.reading.stored_specs import missing_components, stored_spec
from orchestrator.store.schema.base import Base, table_of
from orchestrator.store.schema.result_tables import AttackResultRecord, DiagnosisRecord, VerdictRecord, WorstCaseRecord, result_tables
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobParentRecord, JobRecord, SweepRecord
from orchestrator.store.writing.rows import measured
from orchestrator.store.writing.verdict_table import outdated_models
from orchestrator.terminal import hints
from workers.artifacts.artifacts import Artifacts, stored_name
from workers.errors import ArtifactError
from workers.spec.keys import KEY_VERSION, job_key

_SHOWN = 3
_CHUNK = 5000
RESTORE = "restore a backup, or import an export of it into a new store"


class StoreProblem(NamedTuple):
    """One line, and the jobs that it is about."""

    line: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One check: `problem` is None where all is well, else one line; `advice` says what to do, `keys` are the jobs concerned. A `note` is
    no problem, but should be known."""

    subject: str
    problem: str | None = None
    advice: str = ""
    note: str | None = None
    keys: tuple[str, ...] = ()


def check_store(store: Store, artifacts: Artifacts, *, hashes: bool) -> list[Finding]:
    """Check the whole store and its jobs' files; with `hashes` each file's content too (reads everything)."""
    needed: Counter[str] = Counter()
    files: _Files = {}
    repair = f"`{hints.command('db', 'check', at=store.address, more=['--repair'])}`"
    mend = f"{repair} restores it from the job's artifact; else {RESTORE}"
    launch = f"launch the sweep again, which records the result that is on disk, or computes it; {repair} does the former"
    checks: tuple[tuple[str, Callable[[Connection], Iterable[StoreProblem]], str], ...] = (
        ("file", _integrity, RESTORE),
        ("references", _references, mend),
        ("job keys", partial(_keys, needed=needed), mend),
        ("parents", _parents, mend),
        ("flags", _flags, mend),
        ("done jobs", _without_result, launch),
        ("results", _of_unfinished_jobs, f"launch the sweep again, or {repair}: the jobs are recorded as done"),
        ("verdicts", _outdated, f"{repair} derives them anew"),
        ("drivers", _stale_leases, "launch the sweep again: it takes it over; or leave it, if it is not to go on"),
        ("attempts", _left_running, "launch the sweep again: it notes them as interrupted"),
    )
    with store.reading() as connection:
        values = _finding("values", (StoreProblem(*found) for found in wrong_values(connection)), mend)
        findings = [_checked(subject, partial(check, connection), advice, values) for subject, check, advice in checks]
        findings.insert(1, values)
        notes = [f"{jobs} jobs cannot be checked here: needs {name}" for name, jobs in sorted(needed.items())]
        findings += [Finding("job keys", note=note) for note in notes]
        done = sorted(connection.execute(select(JobRecord.key).where(JobRecord.state == "done")).scalars())
        findings.append(_checked("rows", partial(_differing, connection, artifacts, files), mend, values))
    advice = "copy the folders from where the jobs ran; else a launch computes again what it needs of them. Their results stay valid"
    return [*findings, _finding("artifacts", _artifacts(artifacts, done, files, hashes=hashes), advice)]


def _finding(subject: str, problems: Iterable[StoreProblem], advice: str) -> Finding:
    found = list(problems)
    if not found:
        return Finding(subject)
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    line = "; ".join(problem.line for problem in found[:_SHOWN]) + more
    return Finding(subject, line, advice, keys=tuple(key for problem in found for key in problem.keys))


def _checked(subject: str, check: Callable[[], Iterable[StoreProblem]], advice: str, values: Finding) -> Finding:
    """Run a check; where values are wrong, it need not come to its end."""
    try:
        return _finding(subject, check(), advice)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        if values.problem is None:
            raise
        return Finding(subject, note="not checked to the end: values are wrong")


def _integrity(connection: Connection) -> Iterable[StoreProblem]:
    """Run SQLite's own check of its file (PostgreSQL checks its files by itself)."""
    if connection.dialect.name != "sqlite":
        return []
    said = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    return [] if said == ["ok"] else [StoreProblem(" ".join(str(line).split())) for line in said]


def _references(connection: Connection) -> Iterator[StoreProblem]:
    """Find references to rows that do not exist: results of missing jobs, jobs of missing parents."""
    for table in Base.metadata.sorted_tables:
        for key in sorted(table.foreign_keys, key=lambda key: key.parent.name):
            target = key.column.table.alias()
            there = exists().where(target.c[key.column.name] == key.parent)
            lost = select(key.parent, func.count()).where(key.parent.is_not(None), ~there).group_by(key.parent)
            if rows := connection.execute(lost).all():
                line = f"{sum(row[1] for row in rows)} rows of {table.name} whose {key.parent.name} is not in {key.column.table.name}"
                yield StoreProblem(line, tuple(row[0] for row in rows) if key.column.table is table_of(JobRecord) else ())


def _keys(connection: Connection, needed: Counter[str]) -> Iterator[StoreProblem]:
    """Find jobs whose spec and parents do not give their key: they were changed. Count in `needed` the jobs that cannot be checked, by the
    component that is not installed here."""
    parents: dict[str, dict[str, str]] = defaultdict(dict)
    for edge in connection.execute(select(JobParentRecord.__table__)):
        parents[edge.child_key][edge.role] = edge.parent_key
    for key, text, digests in _of_today(connection):
        spec = stored_spec(text)
        missing = () if spec is None else missing_components(spec)
        needed.update(missing)
        if spec is None or (not missing and job_key(spec, parents[key], digests) != key):
            yield StoreProblem(f"job {key}: its key is not that of its spec and parents", (key,))


def _of_today(connection: Connection) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Key, spec and digests of each job with a key of today's version."""
    job = JobRecord
    jobs = select(job.key, job.spec, job.digests).where(job.key_version == KEY_VERSION).order_by(job.key)
    for key, text, digests in connection.execution_options(yield_per=_CHUNK).execute(jobs):
        yield key, text, digests or {}


def _parents(connection: Connection) -> Iterator[StoreProblem]:
    """Find jobs without any parent, except those that need none."""
    orphan = ~exists().where(JobParentRecord.child_key == JobRecord.key)
    found = select(JobRecord.key, JobRecord.stage).where(JobRecord.stage.not_in(("pretrain", "adopt")), orphan).order_by(JobRecord.key)
    for job in connection.execute(found):
        yield StoreProblem(f"{job.stage} job {job.key}: its parents are missing", (job.key,))


def _flags(connection: Connection) -> Iterator[StoreProblem]:
    for table in result_tables():
        if "flags" not in table.c:
            continue
        columns = [table.c[name] for name in ("job_key", "n_examples", "draws", "n_correct", "flags")]
        for row in connection.execution_options(yield_per=_CHUNK).execute(select(*columns).order_by(table.c.job_key)):
            if problem := flags_problem(row.flags, n_examples=row.n_examples, draws=row.draws, n_correct=row.n_correct):
                yield StoreProblem(f"{table.name}, job {row.job_key}: {problem}", (row.job_key,))


def _without_result(connection: Connection) -> Iterator[StoreProblem]:
    recorded = [~exists().where(table.c.job_key == JobRecord.key) for table in result_tables()]
    for job in connection.execute(
        select(JobRecord.key, JobRecord.stage).where(JobRecord.state == "done", *recorded).order_by(JobRecord.key)
    ):
        yield StoreProblem(f"{job.stage} job {job.key}: is done, and has no result", (job.key,))


def _of_unfinished_jobs(connection: Connection) -> Iterator[StoreProblem]:
    for table in result_tables():
        found = select(table.c.job_key, JobRecord.state).join(JobRecord, JobRecord.key == table.c.job_key)
        for row in connection.execute(found.where(JobRecord.state != "done").order_by(table.c.job_key)):
            yield StoreProblem(f"{table.name}, job {row.job_key}: has a result, and is {row.state}", (row.job_key,))


def _outdated(connection: Connection) -> Iterator[StoreProblem]:
    """Find models whose verdict and worst cases, which are derived from their results, are not those of these."""
    records = AttackResultRecord, DiagnosisRecord, VerdictRecord, WorstCaseRecord
    models = connection.execute(union(*(select(record.model_key) for record in records))).scalars().all()
    for key in outdated_models(connection, models):
        yield StoreProblem(f"model {key}: its verdict or worst cases are not those of its results", (key,))


_Files = dict[str, dict[str, str]]
"""The digests of the files of jobs' artifacts by name, by the jobs' keys."""


def _differing(connection: Connection, artifacts: Artifacts, files: _Files) -> Iterator[StoreProblem]:
    """Find rows whose figures are not those of the job's artifact, where that can be read; note its `files`."""
    finished = artifacts.finished()
    for table in result_tables():
        for row in connection.execution_options(yield_per=_CHUNK).execute(select(table)).mappings():
            if (key := row["job_key"]) not in finished:
                continue
            try:
                result = artifacts.result(key)
            except ArtifactError:  # damaged: a finding of its own
                continue
            files[key] = result.files
            if names := [name for name, value in measured(result).items() if name in row and row[name] != value]:
                yield StoreProblem(f"{table.name}, job {key}: {', '.join(names)} not as in {artifacts.where(key)}", (key,))


def _stale_leases(connection: Connection) -> Iterator[StoreProblem]:
    """Find sweeps that a dead driver took and never left."""
    for name in connection.execute(
        select(SweepRecord.name).where(SweepRecord.heartbeat_at.is_not(None)).order_by(SweepRecord.name)
    ).scalars():
        holder, now = find_holder(connection, name), database_now(connection)
        if holder is not None and holder.heartbeat_at is not None and not is_alive(holder.heartbeat_at, holder.process, now=now):
            silence = age(now - holder.heartbeat_at)
            yield StoreProblem(f"sweep {name}: {holder.who} never left it and is dead (last heartbeat {silence} ago)")


def _left_running(connection: Connection) -> Iterator[StoreProblem]:
    dead = or_(AttemptRecord.sweep_id.is_(None), AttemptRecord.sweep_id.not_in(living_sweeps(connection)))
    columns = AttemptRecord.job_key, AttemptRecord.number, SweepRecord.name
    found = (
        select(*columns).outerjoin(SweepRecord, SweepRecord.id == AttemptRecord.sweep_id).where(AttemptRecord.outcome == "running", dead)
    )
    for row in connection.execute(found.order_by(AttemptRecord.id)):
        yield StoreProblem(f"attempt {row.number} at job {row.job_key} of sweep {row.name}: is recorded as running, its driver is dead")


def _artifacts(artifacts: Artifacts, done: Iterable[str], files: _Files, *, hashes: bool) -> Iterator[StoreProblem]:
    """Find results that cannot be read, of those that `files` does not know, and files that are missing, or with `hashes` changed."""
    for key in done:
        try:
            named = files[key] if key in files else artifacts.result(key).files
            there = artifacts.files(key) if named else {}
            for name, digest in named.items():
                if hashes:
                    artifacts.read(key, name)
                elif (stored := stored_name(name, digest)) not in there:
                    yield StoreProblem(f"job {key}: {stored} is missing")
        except ArtifactError as error:
            yield StoreProblem(str(error))
