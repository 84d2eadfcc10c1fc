"""Each sweep's way to write its epsilons; results, which sweeps share, write them in one way."""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.migrations.tables import create_table
from workers.spec.fields import spelled

revision = "0008"
down_revision = "0007"

_SWEEP_EPSILONS = sa.table("sweep_epsilons", *map(sa.column, ("sweep_id", "epsilon", "literal")))
_HELD = (
    "SELECT DISTINCT sweeps.id, sweeps.space, epsilon, epsilon_literal FROM {table} "
    "JOIN sweep_jobs ON sweep_jobs.job_key = {table}.job_key JOIN sweeps ON sweeps.id = sweep_jobs.sweep_id"
)


def upgrade() -> None:
    create_table("sweep_epsilons", "sweep_id int, epsilon float, literal name", primary="sweep_id epsilon", refers="sweep_id sweeps.id")
    connection = op.get_bind()
    chosen: dict[tuple[int, float], str] = {}
    for table in ("attack_results", "diagnoses"):
        for sweep, space, epsilon, literal in connection.execute(sa.text(_HELD.format(table=table))):
            # A job has the literal of the first sweep that held it; this one's own is in its space.
            if literal in space and spelled(epsilon) not in space:
                chosen[sweep, epsilon] = literal
            chosen.setdefault((sweep, epsilon), spelled(epsilon))
    if chosen:
        rows = [{"sweep_id": sweep, "epsilon": epsilon, "literal": literal} for (sweep, epsilon), literal in sorted(chosen.items())]
        connection.execute(_SWEEP_EPSILONS.insert(), rows)
    for name in ("attack_results", "diagnoses", "worst_cases"):
        _write_alike(connection, sa.table(name, sa.column("epsilon"), sa.column("epsilon_literal")))


def _write_alike(connection: sa.Connection, table: sa.TableClause) -> None:
    columns = table.c.epsilon, table.c.epsilon_literal
    for epsilon, literal in connection.execute(sa.select(*columns).distinct()).all():
        if literal != spelled(epsilon):
            same = table.update().where(table.c.epsilon == epsilon, table.c.epsilon_literal == literal)
            connection.execute(same.values(epsilon_literal=spelled(epsilon)))
