"""Derivative that the attacker used for a binary model's sign; there were no binary models before."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("attack_results", sa.Column("sign_gradient", sa.String(length=32), nullable=False, server_default="identity"))
