"""Settings and metrics of components as JSON, and the facts that were inferred from names; what jobs need to be made again."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from orchestrator.store.migrations.key_version_1 import attack_result, diagnosis, trained_model

revision = "0007"
down_revision = "0006"

Columns = Sequence[sa.Column[Any]]
_JSON = sa.JSON(none_as_null=True)
_NAME, _WORD = sa.String(length=200), sa.String(length=32)


def _own(name: str) -> sa.Column[Any]:
    return sa.Column(name, _JSON, nullable=False, server_default="{}")


_JOB: Columns = (sa.Column("seed_key", sa.String(length=64)), sa.Column("digests", _JSON), sa.Column("plugins", _JSON))
_MODEL: Columns = (
    sa.Column("rank_fractions", _JSON),
    *map(_own, ("model_settings", "model_options", "data_settings", "training")),
    sa.Column("modality", _WORD),
    sa.Column("n_classes", sa.Integer()),
    sa.Column("low", sa.Double()),
    sa.Column("high", sa.Double()),
    sa.Column("randomised", sa.Boolean()),
)
_ATTACK: Columns = (
    *map(_own, ("settings", "metrics")),
    *(sa.Column(name, sa.Boolean()) for name in ("takes_gradients", "selects", "one_step")),
)


def upgrade() -> None:
    for column in _JOB:
        op.add_column("jobs", column)
    _trained_models()
    _attack_results()
    _diagnoses()


def _trained_models() -> None:
    for column in _MODEL:
        op.add_column("trained_models", column)
    jobs = sa.table("jobs", sa.column("key"), sa.column("spec"))
    names = ("job_key", "dataset", "model", "width", "theta", "defence")
    old = sa.table("trained_models", *map(sa.column, names), sa.column("stage_rank_fractions", _JSON))
    found = op.get_bind().execute(sa.select(old, jobs.c.spec).join(jobs, jobs.c.key == old.c.job_key)).mappings().all()
    _fill("trained_models", _MODEL, [trained_model(dict(row), row["spec"]) for row in found])
    with op.batch_alter_table("trained_models") as table:
        for name in ("dataset", "model"):
            table.alter_column(name, existing_type=_WORD, type_=_NAME, existing_nullable=False)
        table.alter_column("defence", existing_type=_WORD, type_=_NAME, existing_nullable=False, existing_server_default="none")
        for name in ("width", "stage_rank_fractions"):
            table.drop_column(name)


def _attack_results() -> None:
    for column in _ATTACK:
        op.add_column("attack_results", column)
    left = ("steps", "abs_stepsize", "momentum", "snr_db")
    old = sa.table("attack_results", *map(sa.column, ("job_key", "attack", "loss", *left)))
    found = op.get_bind().execute(sa.select(old)).mappings().all()
    _fill("attack_results", _ATTACK, [attack_result(dict(row)) for row in found])
    with op.batch_alter_table("attack_results") as table:
        table.alter_column("attack", existing_type=_WORD, type_=_NAME, existing_nullable=False)
        table.alter_column("random_start", existing_type=sa.Boolean(), nullable=True)
        table.alter_column("loss", existing_type=_WORD, type_=_NAME, nullable=True, server_default=None)
        for name in left:
            table.drop_column(name)


def _diagnoses() -> None:
    probes = sa.Column("probes", _JSON)
    found = op.get_bind().execute(sa.select(sa.table("diagnoses", sa.column("job_key"), sa.column("probes", _JSON)))).mappings().all()
    _fill("diagnoses", (probes,), [diagnosis(dict(row)) for row in found])


def _fill(table: str, columns: Columns, rows: Iterable[dict[str, Any]]) -> None:
    """Set these columns of each row, found by its job."""
    target = sa.table(table, sa.column("job_key"), *(sa.column(column.name, column.type) for column in columns))
    values: dict[str, Any] = {column.name: sa.bindparam(f"new_{column.name}") for column in columns}
    statement = target.update().where(target.c.job_key == sa.bindparam("of")).values(values)
    if new := [{"of": row["job_key"], **{f"new_{name}": row.get(name) for name in values}} for row in rows]:
        op.get_bind().execute(statement, new)
