"""Tables of a sweep: sweeps, their jobs and the attempts to run them. Rows never leave the store."""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from orchestrator.store.schema.base import Base, JobKey, Key, Name, Word

LookReason = Literal["best", "search", "winner"]
"""Reason of a look at a test split: see `TestLookRecord`."""


class SweepRecord(Base):
    """Sweep; `heartbeat_at` is null while no driver runs it. `driver_token` is known to its driver alone,
    `driver_process` is the name of the process (see `leases/processes.py`), `command` the one by which it was last launched."""

    __tablename__ = "sweeps"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Name]
    space: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    launched_at: Mapped[datetime | None]
    driver_host: Mapped[Name | None]
    driver_pid: Mapped[int | None]
    heartbeat_at: Mapped[datetime | None]
    driver_token: Mapped[str | None] = mapped_column(String(64))
    driver_process: Mapped[str | None] = mapped_column(String(200))
    command: Mapped[str | None] = mapped_column(Text)


class SweepEpsilonRecord(Base):
    """A sweep's way to write an epsilon, by its last launch: jobs are shared by sweeps that write it otherwise."""

    __tablename__ = "sweep_epsilons"

    sweep_id: Mapped[int] = mapped_column(ForeignKey("sweeps.id"), primary_key=True)
    epsilon: Mapped[float] = mapped_column(primary_key=True)
    literal: Mapped[Name]


class JobRecord(Base):
    """A job of any number of sweeps; `spec` is the JSON of `Job.spec`, `seed_key`, `digests` and `plugins` are as in `Job` (null in jobs
    of earlier key versions)."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("state IN ('planned', 'done', 'failed')", name="state"),
        Index(None, "state", "key"),
    )

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_version: Mapped[int]
    stage: Mapped[Word]
    spec: Mapped[str] = mapped_column(Text)
    state: Mapped[Word]
    seed_key: Mapped[Key | None]
    digests: Mapped[dict[str, Any] | None]
    plugins: Mapped[list[dict[str, Any]] | None]


class JobParentRecord(Base):
    """Edge of the plan; `role` is the parent's part in the child."""

    __tablename__ = "job_parents"

    child_key: Mapped[str] = mapped_column(String(64), ForeignKey("jobs.key"), primary_key=True)
    role: Mapped[str] = mapped_column(String(32), primary_key=True)
    parent_key: Mapped[JobKey] = mapped_column(index=True)


class SweepJobRecord(Base):
    """Job that a sweep holds; `in_space` is false where a narrower space was launched later. `stage` is the job's, so that a sweep's jobs
    are counted without reading each."""

    __tablename__ = "sweep_jobs"
    __table_args__ = (Index(None, "sweep_id", "in_space", "stage"),)

    sweep_id: Mapped[int] = mapped_column(ForeignKey("sweeps.id"), primary_key=True)
    job_key: Mapped[str] = mapped_column(String(64), ForeignKey("jobs.key"), primary_key=True, index=True)
    in_space: Mapped[bool]
    stage: Mapped[Word] = mapped_column(server_default="")


class TestLookRecord(Base):
    """A look at the test split of a data set: a choice among so many `models` by their results there, of a search (`search`) or of `best`
    (`best`), or the measurement of what was chosen on validation (`winner`). The sweep is named, since looks stay when it is pruned."""

    __tablename__ = "test_looks"

    dataset: Mapped[str] = mapped_column(String(200), primary_key=True)
    sweep: Mapped[str] = mapped_column(String(200), primary_key=True)
    reason: Mapped[str] = mapped_column(String(32), primary_key=True)
    looked_at: Mapped[datetime] = mapped_column(primary_key=True)
    models: Mapped[int]


class AttemptRecord(Base):
    """One execution of a job; `error` is one line. `sweep_id` is null where no sweep asked for it, `peak_memory` (bytes)
    except where it was done on a GPU, its passes undivided."""

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("job_key", "number"),
        Index(None, "sweep_id", "outcome"),
        CheckConstraint("outcome IN ('running', 'done', 'failed', 'interrupted')", name="outcome"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_key: Mapped[JobKey]
    number: Mapped[int]
    sweep_id: Mapped[int | None] = mapped_column(ForeignKey("sweeps.id"))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[Word]
    error: Mapped[str | None] = mapped_column(Text)
    traceback: Mapped[str | None] = mapped_column(Text)
    peak_memory: Mapped[int | None] = mapped_column(BigInteger)
