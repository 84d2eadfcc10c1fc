"""Old stores on every database: rows of schema 0006, and archives of format 1."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, create_engine

from orchestrator.store import migrations, open_store, result_rows
from orchestrator.store.connection.engines import make_engine
from orchestrator.store.connection.urls import parse_url
from orchestrator.store.maintenance.import_archive import import_folder
from orchestrator.store.schema.base import Base
from tests.orchestrator.store.test_old_databases import DATABASES, restored
from tests.stored import content

ARCHIVE = DATABASES.parent / "archives" / "format_1"


@pytest.fixture
def old(tmp_path: Path) -> str:
    """The URL of a database that the last program of key version 1 filled."""
    folder = tmp_path / "old"
    folder.mkdir()
    return restored(DATABASES / "key_version_1.sql", folder)


def copied(source: str, url: str) -> None:
    """Fill a new store of the old schema with the rows of an old one."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine, original = make_engine(parse_url(url), writable=True), create_engine(source)
    with original.connect() as reading, engine.execution_options(writes=True).begin() as writing:
        config.attributes["connection"] = writing
        command.upgrade(config, "0006")
        theirs, ours = MetaData(), MetaData()
        theirs.reflect(reading)
        ours.reflect(writing)
        for name in [table.name for table in Base.metadata.sorted_tables if table.name in ours.tables]:
            rows = [dict(row) for row in reading.execute(theirs.tables[name].select()).mappings()]
            if rows:
                writing.execute(ours.tables[name].insert(), rows)
    engine.dispose()
    original.dispose()


def test_rows_of_the_old_schema_are_upgraded_alike(old: str, url: str) -> None:
    copied(old, url)
    with open_store(url, upgrade=True) as store, open_store(old, upgrade=True) as sqlite:
        assert content(store) == content(sqlite)
        assert result_rows(store, None, per_repeat=False) == result_rows(sqlite, None, per_repeat=False)


def test_an_archive_of_the_first_format_is_imported(old: str, url: str) -> None:
    with open_store(url, upgrade=True) as store, open_store(old, upgrade=True) as sqlite:
        import_folder(store, ARCHIVE)
        assert result_rows(store, "audio", per_repeat=False) == result_rows(sqlite, "audio", per_repeat=False)
        assert all(table.new == 0 for table in import_folder(store, ARCHIVE))
