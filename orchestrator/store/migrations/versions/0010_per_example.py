"""Numbers of each example, and what attacks cost."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_BYTES = {"clean_results": ("classes", "margins"), "attack_results": ("classes", "margins", "sizes")}


def upgrade() -> None:
    for table, names in _BYTES.items():
        for name in names:
            op.add_column(table, sa.Column(name, sa.LargeBinary(), nullable=True))
    for name in ("forward_passes", "backward_passes", "queries"):
        op.add_column("attack_results", sa.Column(name, sa.BigInteger(), nullable=True))
