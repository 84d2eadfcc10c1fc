"""A password of the database is not seen: not in the process list, in output, in files, in what Ray's processes inherit."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from orchestrator.driver.recorder import Recorder
from orchestrator.store import open_store
from tests.commands import PROGRAM, TINY, environment, robustsweep, write_space
from tests.contracts.conftest import fresh_database
from tests.stored import content
from workers.artifacts.artifacts import Artifacts
from workers.errors import UserError

PASSWORD = "tell-n0body"
SMALL = TINY.replace("[1.0, 0.8]", "1.0").replace("[fgsm, pgd]", "fgsm")


@pytest.fixture(scope="module")
def guarded(postgres_server: str) -> Iterator[str]:
    """The URL, without its password, of a database that asks for it."""
    with fresh_database(postgres_server, "guarded") as url:
        server = create_engine(make_url(postgres_server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.execute(text(f"CREATE ROLE keeper LOGIN PASSWORD '{PASSWORD}'"))
            connection.execute(text("ALTER DATABASE guarded OWNER TO keeper"))
            rules = Path(connection.execute(text("SHOW hba_file")).scalar_one())
            before = rules.read_text()
            rules.write_text("local guarded keeper scram-sha-256\nhost guarded keeper all scram-sha-256\n" + before)
            connection.execute(text("SELECT pg_reload_conf()"))
            yield make_url(url).set(username="keeper")._replace(password=None).render_as_string()
            connection.execute(text("REASSIGN OWNED BY keeper TO CURRENT_USER"))
            rules.write_text(before)
            connection.execute(text("SELECT pg_reload_conf()"))
        server.dispose()


def with_password(url: str) -> str:
    return make_url(url).set(password=PASSWORD).render_as_string(hide_password=False)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: Ray makes sockets below it."""
    with tempfile.TemporaryDirectory(prefix="pw") as made:
        yield Path(made)


def test_the_server_really_asks(guarded: str, tmp_path: Path) -> None:
    for url in (guarded, make_url(guarded).set(password="wr0ng").render_as_string(hide_password=False)):
        with pytest.raises(UserError) as caught:
            open_store(url, upgrade=True)
        assert "password" in str(caught.value)
        assert "wr0ng" not in str(caught.value)
    open_store(with_password(guarded), upgrade=True).close()


def seen(process: "subprocess.Popen[str]", folder: Path) -> Iterator[str]:
    """Where the password can be read while the program runs: the command lines of its processes, and what they inherited.

    Its processes are those that inherited the folder's name. What the program itself was given by its user is not held against it.
    """
    for entry in Path("/proc").iterdir():
        try:
            command, inherited = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:  # no process, or it has ended meanwhile
            continue
        if f"RAY_TMPDIR={folder}".encode() not in inherited:
            continue
        if PASSWORD.encode() in command:
            yield f"command line {command!r}"
        if entry.name != str(process.pid) and PASSWORD.encode() in inherited and not _becomes_another(entry):
            yield f"environment of {command!r}"


def _becomes_another(entry: Path) -> bool:
    """A copy of the program shows all that it was given, between fork and exec; whether this was one."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            if PASSWORD.encode() not in (entry / "environ").read_bytes():
                return True
        except OSError:  # it has ended
            return True
        time.sleep(0.05)
    return False


def _wait_until_hidden(process: "subprocess.Popen[str]") -> None:
    """A program that was given a password as an argument starts itself anew without it as soon as it can."""
    end = time.monotonic() + 60
    # While a program is being started its command line is empty.
    while not (command := Path(f"/proc/{process.pid}/cmdline").read_bytes()) or PASSWORD.encode() in command:
        assert time.monotonic() < end, "the password stays in the process list"
        time.sleep(0.02)


def watched(*arguments: str | Path, folder: Path, env: dict[str, str]) -> tuple[set[str], str, int]:
    """Run the program and look about all the while; returns where the password was seen, what was printed, and how many looks."""
    found: set[str] = set()
    looks = 0
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)], cwd=folder, env=environment(env), stdout=output, stderr=output, text=True
        )
        _wait_until_hidden(process)
        while process.poll() is None:
            found.update(seen(process, folder))
            looks += 1
            time.sleep(0.1)
    assert process.returncode == 0, (folder / "output").read_text()
    return found, (folder / "output").read_text(), looks


def files_with_it(folder: Path) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [path for path in files if PASSWORD.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("given", "executor"),
    [
        ("url", "inline"),
        pytest.param("variable", "inline", marks=pytest.mark.slow),
        pytest.param("libpq", "inline", marks=pytest.mark.slow),
        pytest.param("url", "ray", marks=pytest.mark.slow),
        pytest.param("variable", "processes", marks=pytest.mark.slow),
        pytest.param("variable", "ray", marks=pytest.mark.slow),
        pytest.param("libpq", "ray", marks=pytest.mark.slow),
    ],
)
def test_a_launch_shows_the_password_nowhere(guarded: str, folder: Path, executor: str, given: str) -> None:
    seed = len(executor) * 10 + len(given)  # each sweep has jobs of its own
    space = write_space(folder, f"{SMALL}seed: {seed}\n", name=f"{executor}-{given}")
    env = {"RAY_TMPDIR": str(folder), "HOME": str(folder)}
    store = ["--store", with_password(guarded)] if given == "url" else ["--store", guarded] if given == "libpq" else []
    env |= {"variable": {"ROBUSTSWEEP_STORE": with_password(guarded)}, "libpq": {"PGPASSWORD": PASSWORD}}.get(given, {})
    found, printed, looks = watched("launch", space, "--executor", executor, *store, folder=folder, env=env)
    assert "jobs done" in printed
    assert looks > 5
    assert found == set()
    assert PASSWORD not in printed
    assert files_with_it(folder) == []
    with open_store(with_password(guarded), upgrade=False) as opened:
        assert PASSWORD not in str(content(opened))
        assert f"{executor}-{given}" in str(content(opened)["sweeps"])


@pytest.mark.slow
def test_the_password_file_of_psql_is_used(guarded: str, folder: Path) -> None:
    (folder / "passwords").write_text(f"*:*:guarded:keeper:{PASSWORD}\n")
    (folder / "passwords").chmod(0o600)
    env = {"PGPASSFILE": str(folder / "passwords")}
    done = robustsweep("launch", write_space(folder, SMALL), "--executor", "inline", "--store", guarded, cwd=folder, env=env)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def test_neither_exports_nor_checks_nor_errors_tell_it(guarded: str, folder: Path) -> None:
    url = with_password(guarded)
    open_store(url, upgrade=True).close()
    printed = []
    for arguments in (
        ["db", "export", "out", "--store", url],
        ["db", "import", "out", "--store", url],
        ["db", "check", "--store", url],
        ["db", "prune", "--orphans", "--store", url],
        ["db", "prune", "--sweep", "none", "--store", url],
        ["db", "upgrade", "--store=" + url],
        ["db", "upgrade", "--store", url.replace("guarded", "unguarded")],
        ["results", url],
        ["launch", "quickstart", f"--stroe={url}"],
        ["status", "--store", url.replace("postgresql", "mysql")],
    ):
        done = robustsweep(*arguments, cwd=folder)
        assert "Traceback" not in done.stderr
        printed.append(done.stdout + done.stderr)
    assert PASSWORD not in "".join(printed)
    assert "an argument holds a password" in printed[7]
    assert files_with_it(folder) == []


def test_what_the_database_says_while_a_sweep_runs_is_scrubbed(guarded: str, folder: Path) -> None:
    with open_store(with_password(guarded), upgrade=True) as opened:
        recorder = Recorder(opened, sweep="small", artifacts=Artifacts(folder))
        with pytest.raises(DBAPIError, match=PASSWORD) as caught, opened.reading() as connection:
            connection.execute(text(f'SELECT "{PASSWORD}" FROM sweeps'))
        recorder._note(caught.value)
    assert 'column "***" does not exist' in (recorder.last_error or "")
