"""Stores filled as a launch fills them, and everything that they hold, for tests of what becomes of it."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from orchestrator.store import Store, end_driving, record_failure, record_result, start_attempt
from orchestrator.store.leases.leases import Driver, Lease, LeaseLost, LeaseTaken, holder_of
from orchestrator.store.schema.base import Base
from orchestrator.store.schema.sweep_tables import SweepRecord
from orchestrator.store.writing.driver_lease import plan_again, take_sweep
from orchestrator.store.writing.record import make_sweep, set_sweep
from tests.builders import result_of
from workers.artifacts.artifacts import Artifacts
from workers.spec.job import Job


def record_sweep(store: Store, *, name: str, space_text: str, jobs: Sequence[Job]) -> None:
    """Make the sweep, or give it a new space and its jobs, without a driver."""
    with store.writing() as connection:
        make_sweep(connection, name, space_text)
        set_sweep(connection, name=name, space_text=space_text, jobs=jobs)


def begin_driving(store: Store, sweep: str, host: str, pid: int) -> Lease:
    """A driver takes the sweep from the one that has it: attempts that were left running are interrupted, failed jobs planned again."""
    while True:
        seen, _ = holder_of(store, sweep)
        try:
            lease = take_sweep(store, name=sweep, space_text="", driver=Driver(host=host, pid=pid), seen=seen)
            plan_again(store, lease)
        except (LeaseLost, LeaseTaken):
            continue  # another driver was faster
        return lease


def launch(store: Store, jobs: Sequence[Job], *, name: str = "small", space: str = "space: 1", failing: Sequence[Job] = ()) -> None:
    """Record a sweep whose jobs were all run once; the `failing` ones (and nothing made from them) have failed."""
    record_sweep(store, name=name, space_text=space, jobs=jobs)
    lease = begin_driving(store, name, "host", 1)
    for job in jobs:
        attempt = start_attempt(store, name, job.key)
        if job in failing:
            record_failure(store, job.key, attempt_id=attempt, error="JobError: boom", traceback="Traceback: boom", final=True)
        else:
            record_result(store, job, result_of(job), attempt_id=attempt)
    end_driving(store, lease)


def content(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, ordered by key, without the numbers that a database gives."""
    with store.reading() as connection:
        sweeps = {row.id: row.name for row in connection.execute(select(Base.metadata.tables["sweeps"]))}
        found = {table.name: [dict(row) for row in connection.execute(select(table)).mappings()] for table in Base.metadata.sorted_tables}
    for rows in found.values():
        for row in rows:
            row.pop("id", None) if "host" not in row else None
            if "sweep_id" in row:
                row["sweep_id"] = sweeps.get(row["sweep_id"])
    return {name: sorted(rows, key=str) for name, rows in found.items()}


def leave_artifacts(jobs: Sequence[Job], root: Path) -> Artifacts:
    """The files of finished jobs, as their workers leave them."""
    artifacts = Artifacts(root)
    for job in {job.key: job for job in jobs}.values():
        folder = artifacts.folder(job.key, attempt="test")
        folder.begin(job)
        digest = folder.write("weights.bin", b"weights of " + job.key.encode())
        folder.commit(result_of(job).model_copy(update={"files": {"weights.bin": digest}}))
    return artifacts


def silence(store: Store, sweep: str, *, seconds: float) -> None:
    """Make the sweep's last heartbeat so much older than it is."""
    with store.writing() as connection:
        mine = SweepRecord.name == sweep
        beat = connection.execute(select(SweepRecord.heartbeat_at).where(mine)).scalar_one()
        assert beat is not None
        connection.execute(update(SweepRecord).where(mine).values(heartbeat_at=beat - timedelta(seconds=seconds)))
