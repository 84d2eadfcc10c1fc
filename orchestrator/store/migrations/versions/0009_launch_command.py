"""The command by which a sweep was last launched."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("sweeps", sa.Column("command", sa.Text(), nullable=True))
