"""Completion of sweeps and spaces, as bash and zsh ask the program for it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.store import open_store
from tests.builders import small_plan
from tests.commands import robustsweep
from tests.stored import launch


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").touch()
    (tmp_path / "folder").mkdir()
    for folder, names in (("sweeps", ("tiny", "tall")), ("elsewhere", ("thin",))):
        with open_store(f"sqlite:///{tmp_path / folder}/results.db", upgrade=True) as store:
            for name in names:
                launch(store, small_plan(), name=name)
    return tmp_path


def completed(line: str, cwd: Path) -> list[str]:
    """The words that bash is offered for the last one of a line."""
    env = {"_ROBUSTSWEEP_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    return robustsweep("--help", cwd=cwd, env=env).stdout.split()


def test_sweeps_and_spaces_are_completed(home: Path) -> None:
    assert completed("robustsweep results t", home) == ["tall", "tiny"]
    assert completed("robustsweep report --home elsewhere t", home) == ["thin"]
    assert completed("robustsweep compare tall ti", home) == ["tiny"]
    assert completed("robustsweep launch quick", home) == ["quickstart"]
    assert completed("robustsweep plan mi", home) == ["mine.yaml"]
    assert completed("robustsweep launch ./f", home) == ["./folder/"]
    assert completed("robustsweep results --home nowhere t", home) == []


def test_words_and_kinds_are_completed(home: Path) -> None:
    assert completed("robustsweep explain knowl", home) == ["knowledge"]
    assert "model.theta" in completed("robustsweep explain model.t", home)
    assert completed("robustsweep components de", home) == ["defence"]


def test_names_that_a_shell_would_run_are_not_put_on_its_line(home: Path, tmp_path: Path) -> None:
    for hostile in ("t;touch x", "t$(touch x)", "t`touch x`", "t\nx", "t x", "t>x", "t&x", "-t", "t\x1b[31m"):
        with open_store(f"sqlite:///{tmp_path}/sweeps/results.db", upgrade=True) as store:
            launch(store, small_plan(), name=hostile)
    (tmp_path / "mi;x.yaml").touch()
    assert completed("robustsweep results t", home) == ["tall", "tiny"]
    assert completed("robustsweep plan mi", home) == ["mine.yaml"]


def test_zsh_is_answered_in_its_own_words(home: Path) -> None:
    env = {"_ROBUSTSWEEP_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "robustsweep results ti"}
    assert robustsweep("--help", cwd=home, env=env).stdout.strip() == """_arguments '*: :(("tiny"))'"""


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_script_for_a_shell_is_one_that_the_shell_takes(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = robustsweep("--show-completion", shell, cwd=tmp_path, env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}).stdout
    assert "_ROBUSTSWEEP_COMPLETE" in script
    assert subprocess.run([shell, "-n"], input=script, text=True, capture_output=True, check=False).returncode == 0
