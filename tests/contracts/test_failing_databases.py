"""Reading commands whose database fails under them: one line, exit code 1, whatever the command and the database."""

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, make_url, text

from orchestrator.cli.main import main
from orchestrator.launching.doctor.database import check_database
from orchestrator.store import open_store
from tests.builders import small_plan
from tests.stored import launch, leave_artifacts, record_sweep

JOBS = small_plan()
COMMANDS = [
    *("results small", "status small", "verdicts small", "best small --epsilon 8/255", "compare small other", f"show {JOBS[1].key}"),
    *("plan quickstart", "plan quickstart --estimate", "query TABLE", "report small -o page.html", "study small -o page.html"),
    *("surfaces small", "db check", "db export archive"),
]
Run = Callable[[str, str], tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process on the store of that URL; return its exit code and what it said of errors."""
    monkeypatch.chdir(tmp_path)

    def run(command: str, url: str) -> tuple[int, str]:
        words = ["SELECT * FROM v_results" if word == "TABLE" else word for word in command.split()]
        monkeypatch.setattr(sys, "argv", ["robustsweep", *words, "--home", str(tmp_path), "--store", url])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().err

    return run


@pytest.fixture
def filled(url: str, tmp_path: Path) -> str:
    with open_store(url, upgrade=True) as store:
        launch(store, JOBS)
        record_sweep(store, name="other", space_text="", jobs=JOBS)
    leave_artifacts(JOBS, tmp_path / "artifacts")
    return url


def assert_one_line(code: int, said: str, *, of: str) -> None:
    assert (code, said.count("\n"), said.startswith("robustsweep: store '")) == (1, 1, True), f"{of}: {code}: {said}"


@pytest.fixture
def ending(postgres_server: str) -> Iterator[Callable[[int], None]]:
    """A function after which the server ends every client before the statement of that number."""
    left = [0]
    server = create_engine(make_url(postgres_server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    ending = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname LIKE 'test%'")

    def count(connection: object, *_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            with server.connect() as other:
                other.execute(ending)

    event.listen(Engine, "before_cursor_execute", count)
    yield lambda number: left.__setitem__(0, number)
    event.remove(Engine, "before_cursor_execute", count)
    server.dispose()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_server_that_goes_away_is_one_line(filled: str, run: Run, ending: Callable[[int], None]) -> None:
    for command in COMMANDS:
        for number in (1,) if command.startswith("query") else (1, 3):
            ending(number)
            code, said = run(command, filled)
            assert_one_line(code, said, of=command)
            assert "terminating connection" in said


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_file_whose_tail_is_zeros_or_missing_is_one_line_or_read_where_it_is_whole(
    filled: str, run: Run, tmp_path: Path, share: float
) -> None:
    path = tmp_path / "store.db"
    whole = path.read_bytes()
    kept = int(len(whole) * share)
    for damaged in (whole[:kept] + bytes(len(whole) - kept), whole[:kept]):
        path.write_bytes(damaged)
        failed = 0
        for command in COMMANDS:
            code, said = run(command, filled)
            if code == 1 and not command.startswith("db check"):
                assert_one_line(code, said, of=command)
                failed += 1
            assert "Traceback" not in said
        assert failed > len(COMMANDS) // 2


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_value_that_is_not_what_its_column_holds_is_one_line(filled: str, run: Run) -> None:
    with open_store(filled, upgrade=True) as store, store.writing() as connection:
        connection.exec_driver_sql("UPDATE trained_models SET training = 'x'")
        connection.exec_driver_sql("UPDATE attack_results SET flags = x'00'")
    for command in ("results small", "report small -o page.html", "best small --epsilon 8/255", "compare small other"):
        code, said = run(command, filled)
        assert_one_line(code, said, of=command)
        assert "`robustsweep db check" in said


@pytest.mark.parametrize("upgrade", [True, False])
def test_what_is_no_file_is_refused_instead_of_waited_for(tmp_path: Path, run: Run, upgrade: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        code, said = run("db upgrade" if upgrade else "results", f"sqlite:///{tmp_path / name}")
        assert (code, said.count("\n")) == (2, 1)
        assert "is no file" in said


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_lock_that_is_held_is_told_with_what_to_do(filled: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.store.connection.engines._BUSY_SECONDS", 0)
    monkeypatch.setattr("orchestrator.launching.doctor.database._PATIENCE", 0)
    holder = create_engine(f"sqlite:///{tmp_path / 'store.db'}")
    with holder.connect() as connection:
        connection.exec_driver_sql("PRAGMA locking_mode=EXCLUSIVE")
        connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        code, said = run("results small", filled)
    holder.dispose()
    assert_one_line(code, said, of="results")
    assert "its folder cannot lock files" in said
    with sqlite3.connect(tmp_path / "store.db", isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        checked = check_database(filled, None)[0]
    writer.close()
    assert (checked.status, "database is locked" in checked.found) == ("wrong", True)
    assert [check.status for check in check_database(filled, None)] == ["ok", "ok"]


def test_a_full_disk_is_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path))

    monkeypatch.setattr("orchestrator.store.open_store", full)
    assert run("results small", "sqlite:///store.db") == (1, f"robustsweep: {tmp_path}: No space left on device\n")


def test_a_server_that_does_not_answer_is_one_line(run: Run) -> None:
    code, said = run("db check", "postgresql://u@127.0.0.1:9/x")
    assert_one_line(code, said, of="db check")
    assert "refused" in said
