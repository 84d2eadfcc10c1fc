"""Commands that are printed lead to the same sweeps: they repeat where these are, and no option that they do not take."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy.engine import make_url

from orchestrator.cli.main import app
from orchestrator.paths import Paths
from orchestrator.store import open_store
from orchestrator.terminal import hints
from tests.commands import robustsweep

PROGRAM: Any = typer.main.get_command(app)
ORCHESTRATOR = Path(hints.__file__).parent
PLACES = Paths.resolve(home=Path("/a b"), store="sqlite:////c/d.db", artifacts="/e/f")
_COMMAND = re.compile(rf"robustsweep ({'|'.join(PROGRAM.commands)})\b")
SAID_BY_THEMSELVES = {
    "explain.py": "lists words",
    "footnotes.py": "explain needs no place",
    "live_trials.py": "is stored with a trial, and read from other places",
    "query.py": "the examples are of no store",
    "status_table.py": "of sweeps whose command was not recorded",
}
"""Files with a command in a text that people read, and why it is not made by `hints`."""


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, found in PROGRAM.commands.items():
        nested = getattr(found, "commands", {})
        yield from (((name, one), command) for one, command in nested.items()) if nested else [((name,), found)]


@pytest.mark.parametrize(("names", "found"), list(commands()), ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_a_hint_has_each_place_that_its_command_takes_and_no_other(names: tuple[str, ...], found: Any) -> None:
    takes = {option for one in found.params for option in one.opts}
    expected = [
        word for option, place in zip(PLACES.options[::2], PLACES.options[1::2], strict=True) if option in takes for word in (option, place)
    ]
    assert PLACES.options == ["--home", "/a b", "--store", "sqlite:////c/d.db", "--artifacts", "/e/f"]
    assert hints.command(*names, at=PLACES) == hints.shell_command(["robustsweep", *names, *expected])


def test_the_options_of_the_running_command_are_repeated_as_they_were_given() -> None:
    elsewhere = make_url("sqlite:////g/results.db")
    with hints.repeated({"home": Path("a b"), "store": "postgresql://me:secret@host/base?sslpassword=x", "artifacts": None}):
        said = hints.command("show", "abcd", at=elsewhere)
        assert said == "robustsweep show abcd --home 'a b' --store 'postgresql://me:***@host/base?sslpassword=***'"
    assert hints.command("show", "abcd", at=elsewhere) == "robustsweep show abcd --home /g"
    with hints.repeated({"home": Path("sweeps"), "store": None}):
        assert hints.command("show", "=abcd") == "robustsweep show '=abcd'"


def test_no_other_file_writes_a_command_by_itself() -> None:
    found = {path.name for path in ORCHESTRATOR.rglob("*.py") for text in _texts(ast.parse(path.read_text())) if _COMMAND.search(text)}
    assert found <= set(SAID_BY_THEMSELVES)


def _texts(tree: ast.AST) -> Iterator[str]:
    """Strings of a file that are neither docstrings nor the help of an option."""
    left_out: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            left_out |= {id(one) for one in ast.walk(node.value) if isinstance(node.value, ast.Constant)}
        elif isinstance(node, ast.keyword) and node.arg in ("help", "about"):
            left_out |= {id(one) for one in ast.walk(node.value)}
    yield from (
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out
    )


def test_an_error_repeats_where_the_sweeps_are(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/a b/results.db", upgrade=True).close()
    done = robustsweep("show", "abcdef", "--home", "a b", "--artifacts", "=c", cwd=tmp_path)
    assert done.returncode == 2
    assert "`robustsweep plan SPACE --home 'a b' --artifacts '=c' --jobs`" in done.stderr
    assert "`robustsweep results --home 'a b' -f json`" in done.stderr
