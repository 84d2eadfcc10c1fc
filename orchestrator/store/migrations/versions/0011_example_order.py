"""Order of which the evaluated examples are the first: that of the files where they are all, else the balanced one."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_BALL = ("model_key", "norm", "epsilon", "n_examples", "batch_size", "draws")
_MEASURED = ("clean_results", "attack_results")
_JOBS = sa.table("jobs", sa.column("key"), sa.column("spec"))
_OF_ALL = sa.select(_JOBS.c.key).where(_JOBS.c.spec.like('%"examples":null%'))


def upgrade() -> None:
    for name in (*_MEASURED, "worst_cases"):
        op.add_column(name, sa.Column("example_order", sa.String(length=32), nullable=False, server_default="balanced"))
    for name in _MEASURED:
        table = sa.table(name, *map(sa.column, ("job_key", "example_order")))
        op.execute(table.update().where(table.c.job_key.in_(_OF_ALL)).values(example_order="file"))
    attacks, worst = (sa.table(name, *map(sa.column, (*_BALL, "example_order"))) for name in ("attack_results", "worst_cases"))
    alike = [attacks.c[name] == worst.c[name] for name in _BALL]
    op.execute(worst.update().where(sa.exists().where(*alike, attacks.c.example_order == "file")).values(example_order="file"))
    with op.batch_alter_table("worst_cases") as changed:
        changed.drop_constraint("pk_worst_cases", type_="primary")
        changed.create_primary_key("pk_worst_cases", ["model_key", "knowledge", *_BALL[1:], "example_order"])
