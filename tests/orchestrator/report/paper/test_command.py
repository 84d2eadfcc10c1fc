import json
import tomllib
from pathlib import Path

import pytest

import orchestrator
from tests.commands import robustsweep, write_space

SPACE = """
data: {name: digits, train_examples: 64}
model: {width: 2, theta: 1.0}
training: {epochs: 1, batch_size: 32}
evaluation: {examples: 12, batch_size: 6, repeats: 1}
attacks:
  - {attack: fgsm, epsilon: 2/255}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    done = robustsweep("launch", write_space(folder, SPACE), "--executor", "inline", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_tables_are_printed_and_chosen_by_number(home: Path) -> None:
    done = robustsweep("report", "--paper", cwd=home)
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines() if line.startswith("Table")] == [f"Table {n}" for n in range(1, 6)]
    done = robustsweep("report", "--paper", "--table", "3,1", "-f", "json", cwd=home)
    assert [record["table"] for record in json.loads(done.stdout)] == [1, 3]


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("r.html", "<!doctype html>"),
        ("r.md", "# The paper's tables"),
        ("r.tex", "% needs"),
        ("r.json", "["),
        ("r.txt", "Table 1: "),
    ],
)
def test_a_files_ending_says_its_format_and_the_file_is_replaced(name: str, start: str, home: Path) -> None:
    (home / name).write_text("old")
    done = robustsweep("report", "--paper", "--sweep", "tiny", "--output", name, cwd=home)
    assert (done.returncode, done.stdout) == (0, "")
    assert (home / name).read_text().startswith(start)
    assert not list(home.glob(f".{name}*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "report: needs SWEEP, or --paper"),
        (["tiny", "--table", "1"], "report: needs SWEEP, or --paper"),
        (["--paper", "--figures", "folder"], "--figures: not with --paper"),
        (["--paper", "--table", "7"], "table 7: one of 1, 2, 3, 4, 5"),
        (["--paper", "--table", "1,x"], "--table '1,x': numbers of tables"),
        (["--paper", "--table", ""], "--table '': numbers of tables"),
        (["--paper", "--sweep", "other"], "sweep 'other': one of tiny"),
        (["--paper", "--sweep", "\x1b[31mred"], r"sweep '\x1b[31mred': one of tiny"),
        (["--paper", "other"], "sweep 'other': one of tiny"),
        (["--paper", "--output", "r.pdf"], "--output 'r.pdf': ends in none of .html"),
        (["--paper", "--output", "none/r.md"], "--output 'none/r.md': No such file"),
        (["--paper", "--store", "sqlite:///none.db"], "no such file"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: list[str], message: str, home: Path) -> None:
    done = robustsweep("report", *arguments, cwd=home)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_every_file_that_the_program_reads_is_package_data() -> None:
    root = Path(orchestrator.__file__).parent
    project = tomllib.loads((root.parent / "pyproject.toml").read_text())
    declared = {path for pattern in project["tool"]["setuptools"]["package-data"]["orchestrator"] for path in root.glob(pattern)}
    data = {path for path in root.rglob("*") if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts}
    assert data == declared
