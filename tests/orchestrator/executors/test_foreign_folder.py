"""A launch from a folder whose files have the names of our packages, or of those that we need: none of them is imported, by any process."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import attempts, environment, rows
from workers.code import FOLDER, CodeVersion, code_here, require_code
from workers.errors import UserError

SPACE = """
plugins: [mine.py]
data: {name: digits, train_examples: 32}
model: {width: 2, tensorized: false}
training: {epochs: 1, batch_size: 32}
evaluation: {examples: 10, batch_size: 10}
attacks: [{attack: still, epsilon: 8/255}]
"""
PLUGIN = """
import robustsweep as rs
from helpers_of_mine import moved

@rs.attack(takes_gradients=False)
def still(logits, inputs, labels, *, epsilon):
    return moved(inputs)

@rs.metric(always=True)
def unmoved(clean, attacked, labels):
    return (clean == attacked).flatten(1).double().mean(dim=1)
"""
RAISES = "raise SystemExit('imported from the current folder')\n"
SHADOWS = ("orchestrator", "search_spaces", "robustsweep", "pprint", "random", "torch", "numpy", "ray", "streamlit", "tempfile")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text(RAISES)
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "helpers_of_mine.py").write_text("def moved(inputs):\n    return inputs\n")
    (tmp_path / "s.yaml").write_text(SPACE)
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "__init__.py").write_text(RAISES)
    return tmp_path


def run(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run Python as the console script does: without the current folder on its path."""
    return subprocess.run(
        [sys.executable, "-P", *command], cwd=folder, env=environment(), capture_output=True, text=True, timeout=200, check=False
    )


@pytest.mark.slow  # quicker, without a plugin: tests/contracts/test_executors.py
@pytest.mark.parametrize("executor", ["processes", "ray"])
def test_nothing_in_the_folder_of_the_launch_is_imported(folder: Path, executor: str) -> None:
    main = ("-c", "from orchestrator.cli.main import main; main()")
    launched = run(folder, *main, "launch", "s.yaml", "--executor", executor, "--workers", "1")
    assert launched.returncode == 0, launched.stdout + launched.stderr
    assert list(attempts(folder).values()) == [["done"]] * 3
    assert [row["unmoved"] for row in rows(folder, "s")] == [1.0]


def test_python_m_does_not_import_from_the_current_folder_what_is_no_package_of_ours(folder: Path) -> None:
    shutil.rmtree(folder / "workers")
    (folder / "orchestrator.py").unlink()
    for module in ("orchestrator.cli.main", "workers"):
        command = [sys.executable, "-m", module, "--help"]
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


def test_a_job_file_says_with_which_code_it_was_planned(folder: Path) -> None:
    main = ("-c", "from orchestrator.cli.main import main; main()")
    assert run(folder, *main, "plan", "s.yaml", "--write-jobs", "jobs").returncode == 0
    (job, *_) = [path for path in (folder / "jobs").iterdir() if '"stage": "pretrain"' in path.read_text()]
    edited = folder / "edited"
    shutil.copytree(FOLDER, edited / "workers", ignore=shutil.ignore_patterns("__pycache__"))
    with (edited / "workers" / "errors.py").open("a") as file:
        file.write("# edited\n")
    command = [sys.executable, "-m", "workers", str(job), "--artifacts", "artifacts"]
    done = subprocess.run(command, cwd=edited, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stdout
    assert "this worker's code" in done.stderr
    assert str(edited / "workers") in done.stderr
    assert str(FOLDER) in done.stderr
    assert done.stderr.count("\n") == 1


def test_other_code_is_refused_with_the_names_of_both() -> None:
    require_code(code_here())
    with pytest.raises(
        UserError, match=rf"this worker's code \({code_here().digest[:12]} in .*\) differs from the driver's \(0+ in /there\)"
    ):
        require_code(CodeVersion("0" * 64, "/there"))
