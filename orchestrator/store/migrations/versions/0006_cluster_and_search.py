"""Who drives a sweep, by a token that nobody else has."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    _leases()
    _stage_ranks()


def _leases() -> None:
    op.add_column("sweeps", sa.Column("driver_token", sa.String(length=64), nullable=True))


def _stage_ranks() -> None:
    """The rank fraction of each stage of the net; nets had one for all stages before."""
    op.add_column("trained_models", sa.Column("stage_rank_fractions", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("the store only moves forward: restore a backup")
