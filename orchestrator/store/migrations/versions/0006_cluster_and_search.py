"""Who drives a sweep, by a token that nobody else has; jobs counted by an index alone; models that were stopped at a rung (earlier ones
were trained to the end)."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    _leases()
    _counting()
    _rungs()
    _stage_ranks()


def _leases() -> None:
    op.add_column("sweeps", sa.Column("driver_token", sa.String(length=64), nullable=True))
    op.add_column("sweeps", sa.Column("driver_process", sa.String(length=200), nullable=True))


def _rungs() -> None:
    op.add_column("trained_models", sa.Column("until", sa.Integer(), nullable=True))
    op.add_column("trained_models", sa.Column("resumed_key", sa.String(length=64), nullable=True))


def _counting() -> None:
    op.create_index(op.f("ix_jobs_key_stage_state"), "jobs", ["key", "stage", "state"])


def _stage_ranks() -> None:
    """The rank fraction of each stage of the net; nets had one for all stages before."""
    op.add_column("trained_models", sa.Column("stage_rank_fractions", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("the store only moves forward: restore a backup")
