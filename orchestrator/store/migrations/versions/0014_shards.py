"""Outcomes of attacks on shards of the examples."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_TABLE = "shard_results"


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column("job_key", sa.String(length=64), nullable=False),
        sa.Column("model_key", sa.String(length=64), nullable=False),
        sa.Column("attack", sa.JSON(), nullable=False),
        sa.Column("after", sa.String(), nullable=False),
        sa.Column("knowledge", sa.String(length=32), nullable=False),
        sa.Column("source_key", sa.String(length=64), nullable=True),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("split", sa.String(length=32), nullable=False),
        sa.Column("example_order", sa.String(length=32), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("n_examples", sa.Integer(), nullable=False),
        sa.Column("of_examples", sa.Integer(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("draws", sa.Integer(), nullable=False),
        sa.Column("n_correct", sa.Integer(), nullable=False),
        sa.Column("flags", sa.LargeBinary(), nullable=False),
        sa.Column("forward_passes", sa.BigInteger(), nullable=True),
        sa.Column("backward_passes", sa.BigInteger(), nullable=True),
        sa.Column("queries", sa.BigInteger(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("environment_id", sa.String(length=64), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name=op.f(f"fk_{_TABLE}_environment_id_environments")),
        sa.ForeignKeyConstraint(["job_key"], ["jobs.key"], name=op.f(f"fk_{_TABLE}_job_key_jobs")),
        sa.ForeignKeyConstraint(["model_key"], ["jobs.key"], name=op.f(f"fk_{_TABLE}_model_key_jobs")),
        sa.PrimaryKeyConstraint("job_key", name=op.f(f"pk_{_TABLE}")),
    )
    op.create_index(op.f(f"ix_{_TABLE}_model_key"), _TABLE, ["model_key"])


def downgrade() -> None:
    raise NotImplementedError("the store only moves forward: restore a backup")
