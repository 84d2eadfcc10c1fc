"""A database that was changed by hand: what its readers do not take is named in one line, whatever column it is in; never a traceback."""

import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, Column, Double, Integer, LargeBinary, Table

from orchestrator.cli.main import main
from orchestrator.store import open_store
from orchestrator.store.connection import session
from orchestrator.store.maintenance import wrong_values as wrong_values_module
from orchestrator.store.maintenance.wrong_values import wrong_rows, wrong_value_behind, wrong_values
from orchestrator.store.schema.base import Base, UtcDateTime
from tests.builders import diagnose_job, fine_tune_job, pretrain_job, shard_job, small_plan, surface_job
from tests.stored import launch, leave_artifacts, record_sweep

MODEL = pretrain_job()
JOBS = [*small_plan(), diagnose_job(MODEL), surface_job(fine_tune_job(MODEL)), shard_job(MODEL)]
COMMANDS = ("results small", "show KEY")
MORE = (
    "report small -o page.html",
    *("results -f json", "results --per-repeat --spread", "results small --worst-case", "status --failed", "verdicts small"),
    *("best small --epsilon 8/255", "compare small other", "plan quickstart --estimate", "study small -o page.html"),
    *("robustbench small --epsilon 8/255 --out out", "db export archive"),
)
WORDS = frozenset(
    {
        *("stage", "state", "outcome", "rank_kind", "sketch_modes", "adversarial_training", "norm", "sign_gradient", "target", "backend"),
        *("direction", "knowledge", "verdict", "epsilon_literal"),
    }
)
SPECS = ("{}", "[1]", "null", '{"stage": 3}', "x")


def wrong(column: Column[Any]) -> tuple[Any, ...]:
    """Values that the column does not hold, the worst first."""
    if column.name == "spec":
        return SPECS
    if isinstance(column.type, JSON):
        return ("3", '"x"', "null", "x") if column.name in ("probes", "checks", "history", "plugins") else ("[1]", "3", '"x"', "x")
    if isinstance(column.type, Boolean):
        return ("x", 7)
    if isinstance(column.type, LargeBinary):
        return ("x",)
    kinds = (Double, Integer, UtcDateTime)
    return ("x",) if isinstance(column.type, kinds) or column.name in WORDS else ()


def is_asked(table: Table, column: Column[Any]) -> bool:
    """Not keys, and not what only a driver reads."""
    return not column.primary_key and not column.foreign_keys and table.name != "environments" and not column.name.startswith("driver_")


CASES = [
    (table.name, column.name, value)
    for table in Base.metadata.sorted_tables
    for column in table.columns
    if is_asked(table, column)
    for value in wrong(column)
]
FIRST = {case[:2]: case for case in reversed(CASES)}
QUICK = [case for case in FIRST.values() if isinstance(Base.metadata.tables[case[0]].c[case[1]].type, JSON) or case[1] in ("spec", "flags")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("whole")
    with open_store(f"sqlite:///{home / 'results.db'}", upgrade=True) as store:
        launch(store, JOBS)
        record_sweep(store, name="other", space_text="", jobs=JOBS)
    leave_artifacts(JOBS, home / "artifacts")
    return home


Run = Callable[[str, Path], tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process; return its exit code and what it printed on both streams. An error that gets through fails."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "opened_stores", opened := [])
    monkeypatch.setattr(wrong_values_module, "opened_stores", opened)

    def run(command: str, home: Path) -> tuple[int, str, str]:
        words = [JOBS[1].key if word == "KEY" else word for word in command.split()]
        monkeypatch.setattr(sys, "argv", ["robustsweep", *words, "--home", str(home)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def changed(whole: Path, table: str, column: str, value: Any) -> int:
    """Give every row of the table that value; returns how many there are."""
    for place in whole.glob("results.db-*"):
        place.unlink()
    connection = sqlite3.connect(whole / "results.db", isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints=ON")
    found = connection.execute(f'UPDATE {table} SET "{column}" = ?', (value,)).rowcount
    connection.close()
    return found


def ask(home: Path, run: Run, case: tuple[str, str, Any], commands: tuple[str, ...]) -> None:
    table, column, value = case
    if not changed(home, table, column, value):
        pytest.skip(f"no rows of {table}")
    for command in commands:
        code, _, said = run(command, home)
        assert code == 0 or said.count("\n") == 1, (command, said)
        if code == 1:
            assert said.startswith(f"robustsweep: store 'sqlite:///{home}/results.db': {table}, "), (command, said)
            assert f"{column} " in said
    code, printed, _ = run("db check", home)
    assert code == 1
    if column == "spec":
        assert "its key is not that of its spec" in printed
    else:
        assert f"{table}, " in (line := next(line for line in printed.splitlines() if line.startswith("values")))
        assert f"{column} " in line


def identified(case: tuple[str, str, Any]) -> str:
    return "-".join(map(str, case))


@pytest.mark.parametrize("case", QUICK, ids=identified)
def test_a_wrong_value_is_named_with_table_row_and_column(whole: Path, tmp_path: Path, run: Run, case: tuple[str, str, Any]) -> None:
    shutil.copytree(whole, tmp_path / "home")
    ask(tmp_path / "home", run, case, COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=identified)
def test_every_wrong_value_in_every_command(whole: Path, tmp_path: Path, run: Run, case: tuple[str, str, Any]) -> None:
    shutil.copytree(whole, tmp_path / "home")
    ask(tmp_path / "home", run, case, (*COMMANDS, *MORE))


def test_a_right_database_has_none_and_errors_of_the_program_stay(whole: Path) -> None:
    session.opened_stores.clear()  # of the tests before this one
    with open_store(f"sqlite:///{whole / 'results.db'}", upgrade=False) as store, store.reading() as connection:
        assert list(wrong_values(connection)) == list(wrong_rows(connection)) == []
    assert wrong_value_behind(TypeError("a fault of the program")) is None
