"""The split that a measurement is on, what is held out of training, and how often a test set was looked at in choosing."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0010"

_SPLIT = "test"


def _split() -> sa.Column[str]:
    return sa.Column("split", sa.String(length=32), nullable=False, server_default=_SPLIT)


def upgrade() -> None:
    op.add_column("trained_models", sa.Column("validation_examples", sa.Double(), nullable=False, server_default="0"))
    for table in ("clean_results", "attack_results"):
        op.add_column(table, _split())
    _remake_worst_cases()
    op.create_table(
        "test_looks",
        sa.Column("dataset", sa.String(length=200), nullable=False),
        sa.Column("sweep", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("models", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("dataset", "sweep", "reason", "looked_at", name="pk_test_looks"),
    )


def _remake_worst_cases() -> None:
    """Make the table anew with the split in its primary key: SQLite changes no keys."""
    columns = ("model_key", "knowledge", "norm", "epsilon", "n_examples", "batch_size", "draws")
    others = ("epsilon_literal", "attacks", "accuracy", "ci_low", "ci_high")
    op.rename_table("worst_cases", "worst_cases_before")
    if op.get_bind().dialect.name != "sqlite":  # names of constraints are the schema's there
        for name in ("pk_worst_cases", "fk_worst_cases_model_key_jobs"):
            op.execute(f"ALTER TABLE worst_cases_before RENAME CONSTRAINT {name} TO {name}_before")
    op.create_table(
        "worst_cases",
        sa.Column("model_key", sa.String(length=64), nullable=False),
        sa.Column("knowledge", sa.String(length=32), nullable=False),
        sa.Column("norm", sa.String(length=32), nullable=False),
        sa.Column("epsilon", sa.Double(), nullable=False),
        sa.Column("n_examples", sa.Integer(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("draws", sa.Integer(), nullable=False),
        _split(),
        sa.Column("epsilon_literal", sa.String(length=200), nullable=False),
        sa.Column("attacks", sa.Integer(), nullable=False),
        sa.Column("accuracy", sa.Double(), nullable=False),
        sa.Column("ci_low", sa.Double(), nullable=False),
        sa.Column("ci_high", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["model_key"], ["jobs.key"], name="fk_worst_cases_model_key_jobs"),
        sa.PrimaryKeyConstraint(*columns, "split", name="pk_worst_cases"),
    )
    named = ", ".join((*columns, *others))
    op.execute(f"INSERT INTO worst_cases ({named}) SELECT {named} FROM worst_cases_before")  # noqa: S608 (no one's input)
    op.drop_table("worst_cases_before")


def downgrade() -> None:
    raise NotImplementedError("the store only moves forward: restore a backup")
