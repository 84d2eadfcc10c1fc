"""Further settings of attacks. Earlier attacks had the defaults of all of them; later ones have them in their job's spec."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_ADDED: tuple[sa.Column[Any], ...] = (
    sa.Column("loss", sa.String(length=32), nullable=False, server_default="ce"),
    sa.Column("momentum", sa.Double(), nullable=False, server_default="0"),
    sa.Column("target", sa.String(length=32), nullable=False, server_default="none"),
    sa.Column("restarts", sa.Integer(), nullable=False, server_default="1"),
    sa.Column("eot_samples", sa.Integer(), nullable=False, server_default="1"),
    sa.Column("selection_draws", sa.Integer(), nullable=False, server_default="1"),
    sa.Column("early_stop", sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.Column("backend", sa.String(length=32), nullable=False, server_default="native"),
)


def upgrade() -> None:
    for column in _ADDED:
        op.add_column("attack_results", column)
    _take_from_specs(op.get_bind())


def _take_from_specs(connection: sa.Connection) -> None:
    names = [column.name for column in _ADDED]
    jobs = sa.table("jobs", sa.column("key"), sa.column("spec"))
    results = sa.table("attack_results", sa.column("job_key"), *map(sa.column, names))
    for key, spec in connection.execute(sa.select(jobs.c.key, jobs.c.spec).join(results, results.c.job_key == jobs.c.key)).all():
        attack = json.loads(spec)["attack"]
        if given := {name: attack[name] for name in names if name in attack}:
            connection.execute(results.update().where(results.c.job_key == key).values(given))
