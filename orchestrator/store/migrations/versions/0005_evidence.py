"""Draws per repeat, transferred examples, perturbations in dB; diagnoses, verdicts, loss surfaces. Earlier results had one draw."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for table in ("clean_results", "attack_results"):
        op.add_column(table, sa.Column("draws", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("attack_results", sa.Column("source_key", sa.String(length=64), nullable=True))
    op.add_column("attack_results", sa.Column("snr_db", sa.Double(), nullable=True))
    cell = ["attack", "epsilon_literal", "knowledge"]
    op.create_index(op.f("ix_attack_results_attack_epsilon_literal_knowledge"), "attack_results", cell)
    _measured(
        "diagnoses",
        sa.Column("epsilon", sa.Double(), nullable=False),
        sa.Column("epsilon_literal", sa.String(length=200), nullable=False),
        sa.Column("n_examples", sa.Integer(), nullable=False),
        sa.Column("draws", sa.Integer(), nullable=False),
        sa.Column("zero_gradients", sa.Double(), nullable=False),
        sa.Column("nonfinite_gradients", sa.Double(), nullable=False),
        sa.Column("probes", sa.JSON(), nullable=False),
    )
    _measured(
        "surfaces",
        sa.Column("example", sa.Integer(), nullable=False),
        sa.Column("direction", sa.String(length=32), nullable=False),
        sa.Column("extent", sa.Double(), nullable=False),
        sa.Column("resolution", sa.Integer(), nullable=False),
        sa.Column("draws", sa.Integer(), nullable=False),
        sa.Column("norm", sa.String(length=32), nullable=False),
        sa.Column("clip", sa.Boolean(), nullable=False),
        sa.Column("source_key", sa.String(length=64), nullable=False),
        sa.Column("label", sa.Integer(), nullable=False),
        sa.Column("clean_loss", sa.Double(), nullable=False),
        sa.Column("least_loss", sa.Double(), nullable=False),
        sa.Column("greatest_loss", sa.Double(), nullable=False),
    )
    op.create_table(
        "verdicts",
        sa.Column("model_key", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=32), nullable=False),
        sa.Column("checks", sa.JSON(), nullable=False),
        sa.Column("rules", sa.Integer(), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["model_key"], ["jobs.key"], name=op.f("fk_verdicts_model_key_jobs")),
        sa.PrimaryKeyConstraint("model_key", name=op.f("pk_verdicts")),
    )
    op.create_table(
        "worst_cases",
        sa.Column("model_key", sa.String(length=64), nullable=False),
        sa.Column("knowledge", sa.String(length=32), nullable=False),
        sa.Column("norm", sa.String(length=32), nullable=False),
        sa.Column("epsilon", sa.Double(), nullable=False),
        sa.Column("n_examples", sa.Integer(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("draws", sa.Integer(), nullable=False),
        sa.Column("epsilon_literal", sa.String(length=200), nullable=False),
        sa.Column("attacks", sa.Integer(), nullable=False),
        sa.Column("accuracy", sa.Double(), nullable=False),
        sa.Column("ci_low", sa.Double(), nullable=False),
        sa.Column("ci_high", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["model_key"], ["jobs.key"], name=op.f("fk_worst_cases_model_key_jobs")),
        sa.PrimaryKeyConstraint(
            "model_key", "knowledge", "norm", "epsilon", "n_examples", "batch_size", "draws", name=op.f("pk_worst_cases")
        ),
    )


def _measured(table: str, *columns: sa.Column[Any]) -> None:
    """Create a table of results of one stage: the columns that every such table has, with its own in between."""
    op.create_table(
        table,
        sa.Column("job_key", sa.String(length=64), nullable=False),
        sa.Column("model_key", sa.String(length=64), nullable=False),
        *columns,
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("environment_id", sa.String(length=64), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name=op.f(f"fk_{table}_environment_id_environments")),
        sa.ForeignKeyConstraint(["job_key"], ["jobs.key"], name=op.f(f"fk_{table}_job_key_jobs")),
        sa.ForeignKeyConstraint(["model_key"], ["jobs.key"], name=op.f(f"fk_{table}_model_key_jobs")),
        sa.PrimaryKeyConstraint("job_key", name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_model_key"), table, ["model_key"])


def downgrade() -> None:
    raise NotImplementedError("the store only moves forward: restore a backup")
