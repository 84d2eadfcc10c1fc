"""Alembic's entry point: runs on the connection from `migrations.upgrade`, in a database that may hold other tools' tables."""

from alembic import context

from orchestrator.store.migrations import VERSION_TABLE
from orchestrator.store.schema import sweep_tables as models  # noqa: F401 (they fill the metadata)
from orchestrator.store.schema.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
if str(context.get_revision_argument() or "") < (context.get_context().get_current_revision() or ""):
    raise NotImplementedError("the store only moves forward: restore a backup")
with context.begin_transaction():
    context.run_migrations()
