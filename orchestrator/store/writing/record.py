"""Writes of rows as a sweep runs; only the driver calls them. Each function that takes a store is one transaction.

The only other modules that write are `driver_lease.py`, and in `maintenance` `import_archive.py` and `prune.py`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any, Literal

from sqlalchemy import BindParameter, Connection, Table, bindparam, case, func, insert, select, update

from orchestrator.store.connection.session import Store, chunks, known_jobs, sweep_id
from orchestrator.store.leases.leases import Lease, fence
from orchestrator.store.schema.base import Base, Row, table_of, utc_now
from orchestrator.store.schema.result_tables import AttackResultRecord, DiagnosisRecord, EnvironmentRecord, TrainedModelRecord
from orchestrator.store.schema.sweep_tables import (
    AttemptRecord,
    JobParentRecord,
    JobRecord,
    LookReason,
    SweepEpsilonRecord,
    SweepJobRecord,
    SweepRecord,
    TestLookRecord,
)
from orchestrator.store.writing.rows import environment_row, job_row, outcome_row, parent_rows
from orchestrator.store.writing.verdict_table import refresh_verdict, refresh_worst_cases, unjudged_models
from workers.artifacts.outcomes import Result
from workers.spec.fields import spelled
from workers.spec.job import Job

Ending = Literal["failed", "interrupted"]


def make_sweep(connection: Connection, name: str, space_text: str) -> None:
    """Insert the sweep's row, if there is none."""
    _insert_or_ignore(connection, SweepRecord, [{"name": name, "space": space_text, "created_at": utc_now()}])


def set_sweep(connection: Connection, *, name: str, space_text: str, jobs: Sequence[Job]) -> None:
    """Give the sweep this space: it then holds `jobs`, and its older ones as out of the space.

    Jobs that the store knows already, from this or another sweep, keep their state. The parents of every job must be among `jobs`
    or in the store.
    """
    # All writers insert in the order of the keys, so that two of them on PostgreSQL cannot wait for each other.
    by_key = dict(sorted({job.key: job for job in jobs}.items()))
    connection.execute(update(SweepRecord).where(SweepRecord.name == name).values(space=space_text))
    _insert_jobs(connection, by_key)
    sweep = sweep_id(connection, name)
    _set_space(connection, sweep, by_key)
    _spell_epsilons(connection, sweep, by_key.values())
    # Results from before there were verdicts, or before the rules changed.
    for model in unjudged_models(connection, by_key):
        refresh_verdict(connection, model)
        refresh_worst_cases(connection, model)


def record_search(store: Store, *, name: str, space_text: str, keys: Iterable[str], lease: Lease | None = None) -> None:
    """Make the sweep of a search, or give it a new space: it then holds those jobs of `keys` that the store knows (others were pruned),
    and its other ones as out of the space. `add_jobs` brings those that come while it runs. With a lease nothing is written where that is
    lost (`LeaseLost`), here and below."""
    with store.writing() as connection:
        fence(connection, lease)
        make_sweep(connection, name, space_text)
        connection.execute(update(SweepRecord).where(SweepRecord.name == name).values(space=space_text))
        _set_space(connection, sweep_id(connection, name), sorted(known_jobs(connection, keys)))


def add_jobs(store: Store, sweep_name: str, jobs: Sequence[Job], *, lease: Lease | None = None) -> None:
    """Add jobs to the sweep. Their parents must be among them or in the store.

    Raises:
        UserError: no such sweep.
    """
    by_key = dict(sorted({job.key: job for job in jobs}.items()))
    with store.writing() as connection:
        fence(connection, lease)
        sweep = sweep_id(connection, sweep_name)
        _insert_jobs(connection, by_key)
        _hold(connection, sweep, by_key)
        _spell_epsilons(connection, sweep, by_key.values())


def start_attempt(
    store: Store, sweep_name: str | None, job_key: str, *, started_at: datetime | None = None, lease: Lease | None = None
) -> int:
    """Record that a job is started (for no sweep in particular if None); return the attempt's id. Attempts of a job are numbered from 1.

    Doing it again with the same `started_at` (None: now) changes nothing: a caller that lost the connection does not know what was written.
    """
    at = started_at or utc_now()
    with store.writing() as connection:
        fence(connection, lease)
        sweep = None if sweep_name is None else sweep_id(connection, sweep_name)
        # PostgreSQL: two sweeps that start the same job take their numbers one after the other.
        connection.execute(select(JobRecord.key).where(JobRecord.key == job_key).with_for_update())
        same = case((AttemptRecord.started_at == at, AttemptRecord.id))
        earlier, found = connection.execute(select(func.count(), func.max(same)).where(AttemptRecord.job_key == job_key)).one()
        if found is not None:
            return int(found)
        row = {"job_key": job_key, "number": earlier + 1, "sweep_id": sweep, "started_at": at, "outcome": "running"}
        attempt: int = connection.execute(insert(AttemptRecord).values(row).returning(AttemptRecord.id)).scalar_one()
    return attempt


def record_result(
    store: Store, job: Job, result: Result, *, attempt_id: int | None, finished_at: datetime | None = None, lease: Lease | None = None
) -> None:
    """Record a finished job (now, if `finished_at` is None); `attempt_id` is None for a result found by its artifact. Doing it again
    changes nothing.

    Raises:
        ValueError: the result is not one of this job.
    """
    at = finished_at or utc_now()
    with store.writing() as connection:
        fence(connection, lease)
        _insert_results(connection, [(job, result)], at)
        if attempt_id is not None:
            _finish_attempt(connection, attempt_id, {"outcome": "done", "finished_at": at, "peak_memory": result.peak_memory})


def record_found(store: Store, found: Sequence[tuple[Job, Result]], *, finished_at: datetime, lease: Lease | None = None) -> None:
    """Record results that were found by their artifacts; see `record_result`. Quickest if those of a model are together.

    Raises:
        ValueError: a result is not one of its job.
    """
    with store.writing() as connection:
        fence(connection, lease)
        _insert_results(connection, found, finished_at)


def record_failure(  # noqa: PLR0913 (each is recorded of a failure)
    store: Store,
    job_key: str,
    *,
    attempt_id: int | None,
    error: str,
    traceback: str,
    final: bool,
    outcome: Ending = "failed",
    finished_at: datetime | None = None,
    lease: Lease | None = None,
) -> None:
    """Record a failed (or interrupted) attempt; after the `final` one the job is failed, unless it has a result. `error` is kept as one
    line."""
    with store.writing() as connection:
        fence(connection, lease)
        if attempt_id is not None:
            said = {"error": " ".join(_storable(error).split()), "traceback": _storable(traceback)}
            _finish_attempt(connection, attempt_id, {"outcome": outcome, "finished_at": finished_at or utc_now(), **said})
        if final:
            connection.execute(update(JobRecord).where(JobRecord.key == job_key, JobRecord.state != "done").values(state="failed"))


def _insert_results(connection: Connection, found: Sequence[tuple[Job, Result]], at: datetime) -> None:
    environments: dict[str, Row] = {}
    tables: defaultdict[type[Base], list[Row]] = defaultdict(list)
    for job, result in found:
        environment = environment_row(result.environment)
        environments[environment["id"]] = environment
        record, row = outcome_row(job, result, environment_id=environment["id"], finished_at=at)
        tables[record].append(row)
    for model in sorted({job.parents.get("model", job.key) for job, _ in found}):
        _lock(connection, model)
    _insert_or_ignore(connection, EnvironmentRecord, [environments[key] for key in sorted(environments)])
    for record, rows in tables.items():
        _insert_or_ignore(connection, record, rows)
    done = update(table_of(JobRecord)).where(JobRecord.key == bindparam("done")).values(state="done")
    connection.execute(done, [{"done": key} for key in sorted(job.key for job, _ in found)])
    _derive(connection, tables)


def _lock(connection: Connection, model: str) -> None:
    """Lock the model on PostgreSQL: others that record a result of it wait, so that derived rows are from all results."""
    connection.execute(select(JobRecord.key).where(JobRecord.key == model).with_for_update(key_share=True))


def _derive(connection: Connection, tables: Mapping[type[Base], Sequence[Row]]) -> None:
    """Bring up to date what is derived from the results of the rows' models."""
    trained = {row["job_key"] for row in tables.get(TrainedModelRecord, ())}  # their attacks may have been recorded before they were
    attacked, diagnosed = tables.get(AttackResultRecord, ()), tables.get(DiagnosisRecord, ())
    if models := sorted(trained | {row["model_key"] for row in (*attacked, *diagnosed)}):
        one_ball = len(attacked) == 1 and not trained and not diagnosed
        refresh_worst_cases(connection, *models, ball=attacked[0] if one_ball else None)
    for model in models:
        refresh_verdict(connection, model)


def insert_or_ignore(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows that the table does not have."""
    if rows:
        connection.execute(insert_ignoring(connection, table).on_conflict_do_nothing(), rows)


def insert_ignoring(connection: Connection, table: Table) -> Any:
    """Return the database's own insert, which supports `on_conflict_do_...`."""
    dialect = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")  # the other one takes its time to import
    return dialect.insert(table)


def _insert_or_ignore(connection: Connection, record: type[Base], rows: Sequence[Row]) -> None:
    insert_or_ignore(connection, table_of(record), rows)


def _insert_jobs(connection: Connection, by_key: Mapping[str, Job]) -> None:
    """Insert the jobs that the table does not have: of a finished sweep there are none, and their rows need not be made."""
    known = known_jobs(connection, by_key)
    new = [job for key, job in by_key.items() if key not in known]
    _insert_or_ignore(connection, JobRecord, [job_row(job) for job in new])
    _insert_or_ignore(connection, JobParentRecord, [row for job in new for row in parent_rows(job)])


def _set_space(connection: Connection, sweep: int, keys: Iterable[str]) -> None:
    """Have the sweep hold these jobs in its space, and its other ones out of it; of a finished sweep that is so already."""
    held, wanted = SweepJobRecord.job_key, list(keys)
    known = set(connection.execute(select(held).where(SweepJobRecord.sweep_id == sweep, SweepJobRecord.in_space)).scalars())
    for chunk in chunks(sorted(known.difference(wanted))):
        left = update(SweepJobRecord).where(SweepJobRecord.sweep_id == sweep, held.in_(chunk))
        connection.execute(left.values(in_space=False))
    _hold(connection, sweep, [key for key in wanted if key not in known])


def _spell_epsilons(connection: Connection, sweep: int, jobs: Iterable[Job]) -> None:
    """Keep how the sweep writes the epsilons of its jobs now; one that it writes in two ways is written in the usual one."""
    literals: defaultdict[float, set[str]] = defaultdict(set)
    for job in jobs:
        for attack in (getattr(job.spec, name, None) for name in ("attack", "diagnosis")):
            if attack is not None:
                literals[attack.epsilon].add(attack.epsilon_literal)
    chosen = {epsilon: min(found) if len(found) == 1 else spelled(epsilon) for epsilon, found in sorted(literals.items())}
    if rows := [{"sweep_id": sweep, "epsilon": epsilon, "literal": literal} for epsilon, literal in chosen.items()]:
        statement = insert_ignoring(connection, table_of(SweepEpsilonRecord))
        changed = {"literal": statement.excluded.literal}
        connection.execute(statement.on_conflict_do_update(index_elements=["sweep_id", "epsilon"], set_=changed), rows)


def _hold(connection: Connection, sweep: int, keys: Iterable[str]) -> None:
    """Put the jobs into the sweep's space."""
    held: BindParameter[str] = bindparam("held")
    stage = select(JobRecord.stage).where(JobRecord.key == held).scalar_subquery()
    row = {"sweep_id": sweep, "job_key": held, "in_space": True, "stage": stage}
    upsert = insert_ignoring(connection, table_of(SweepJobRecord)).values(row)
    if rows := [{"held": key} for key in keys]:
        connection.execute(upsert.on_conflict_do_update(index_elements=["sweep_id", "job_key"], set_={"in_space": True}), rows)


def _finish_attempt(connection: Connection, attempt_id: int, ended: Row) -> None:
    unfinished = update(AttemptRecord).where(AttemptRecord.id == attempt_id, AttemptRecord.outcome.in_(["running", "interrupted"]))
    connection.execute(unfinished.values({"error": None, "traceback": None} | ended))


def _storable(text: str) -> str:
    """Return the text without what PostgreSQL refuses: zero characters and lone surrogates."""
    return text.replace("\x00", "\\x00").encode(errors="backslashreplace").decode()


def record_test_looks(connection: Connection, sweep: str, datasets: Iterable[str], *, reason: LookReason) -> None:
    """Record a look at the test splits of some data sets.

    Args:
        connection: with an open transaction.
        sweep: its name.
        datasets: the data set of each model that was looked at.
        reason: see `TestLookRecord`.
    """
    at = utc_now()
    rows = [
        {"dataset": dataset, "sweep": sweep, "reason": reason, "looked_at": at, "models": models}
        for dataset, models in sorted(Counter(datasets).items())
    ]
    insert_or_ignore(connection, table_of(TestLookRecord), rows)
