"""Lease of a sweep's driver; counts of jobs without a read of each; models that were stopped at a rung (earlier ones were trained to
the end); ranks stage by stage; the GPU memory that jobs took."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    _leases()
    _counting()
    _rungs()
    _stage_ranks()
    _footprints()


def _leases() -> None:
    op.add_column("sweeps", sa.Column("driver_token", sa.String(length=64), nullable=True))
    op.add_column("sweeps", sa.Column("driver_process", sa.String(length=200), nullable=True))


def _rungs() -> None:
    op.add_column("trained_models", sa.Column("until", sa.Integer(), nullable=True))
    op.add_column("trained_models", sa.Column("resumed_key", sa.String(length=64), nullable=True))


def _counting() -> None:
    op.drop_index(op.f("ix_jobs_state"), "jobs")
    op.create_index(op.f("ix_jobs_state_key"), "jobs", ["state", "key"])
    op.add_column("sweep_jobs", sa.Column("stage", sa.String(length=32), nullable=False, server_default=""))
    op.execute("UPDATE sweep_jobs SET stage = (SELECT jobs.stage FROM jobs WHERE jobs.key = sweep_jobs.job_key)")
    op.create_index(op.f("ix_sweep_jobs_sweep_id_in_space_stage"), "sweep_jobs", ["sweep_id", "in_space", "stage"])


def _stage_ranks() -> None:
    """Add the rank fraction of each stage of the net; nets had one for all stages before."""
    op.add_column("trained_models", sa.Column("stage_rank_fractions", sa.JSON(none_as_null=True), nullable=True))


def _footprints() -> None:
    op.add_column("attempts", sa.Column("peak_memory", sa.BigInteger(), nullable=True))
