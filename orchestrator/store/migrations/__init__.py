"""History of the schema. There is no downgrade: an older schema needs a backup.

A new revision is a file in `versions/`, its number at the end of `REVISIONS`, and the dump of a used database of that schema in
`tests/orchestrator/store/databases/`, which every later revision must upgrade.
"""

from pathlib import Path

from sqlalchemy import Connection

VERSION_TABLE = "robustsweep_schema_version"
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012", "0013", "0014")
"""Revisions, the oldest first. Kept here so that opening a current store need not import Alembic (0.5 s)."""


def upgrade(connection: Connection) -> None:
    """Bring the schema to the newest revision inside the connection's open transaction; nothing to do when it is there already.

    The public views are dropped before and made anew: no revision depends on them.
    """
    from alembic import command
    from alembic.config import Config

    from orchestrator.store.schema.views import create_views, drop_views

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    drop_views(connection)
    command.upgrade(config, "head")
    create_views(connection)
