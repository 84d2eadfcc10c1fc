"""The split that a measurement is on, what is held out of training, and how often a test split was looked at in choosing."""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.migrations.tables import create_table

revision = "0012"
down_revision = "0011"

_BALL = ("model_key", "knowledge", "norm", "epsilon", "n_examples", "batch_size", "draws", "example_order")


def upgrade() -> None:
    op.add_column("trained_models", sa.Column("validation_examples", sa.Double(), nullable=False, server_default="0"))
    for table in ("clean_results", "attack_results", "worst_cases"):
        op.add_column(table, sa.Column("split", sa.String(length=32), nullable=False, server_default="test"))
    with op.batch_alter_table("worst_cases") as changed:
        changed.drop_constraint("pk_worst_cases", type_="primary")
        changed.create_primary_key("pk_worst_cases", [*_BALL, "split"])
    create_table(
        "test_looks",
        "dataset name, sweep name, reason word, looked_at time, models int",
        primary="dataset sweep reason looked_at",
    )
