"""Defence of a model, in addition to its sketch; there were none before."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("trained_models", sa.Column("defence", sa.String(length=32), nullable=False, server_default="none"))
    op.add_column("trained_models", sa.Column("defence_settings", sa.JSON(), nullable=True))
