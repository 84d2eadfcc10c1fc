"""What README tells one to type does what it says: its commands are run, on tiny networks."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.commands import robustsweep
from tests.docs.blocks import COMMENT, blocks

pytestmark = pytest.mark.slow

TINY: dict[str, Any] = {
    "data.train_examples": 64,
    "model.width": 2,
    "training.epochs": 1,
    "fine_tuning.epochs": 1,
    "evaluation.examples": 12,
    "evaluation.repeats": 2,
    "attacks.0.epsilon": "8/255",
    "attacks.1.epsilon": "8/255",
    "diagnosis.examples": 10,
    "diagnosis.queries": 10,
}
NOT_HERE = ("dashboard", "--version")


def typed(page: str) -> list[str]:
    lines = [line for block in blocks("sh") if block.page == page for line in block.text.splitlines()]
    return [said for line in lines if (said := COMMENT.sub("", line).strip()).startswith("robustsweep ") and not said.endswith(NOT_HERE)]


def test_readmes_commands_run_one_after_the_other(tmp_path: Path) -> None:
    lines = typed("README.md")
    assert len(lines) >= 4
    for line in lines:
        _, *words = shlex.split(line)
        if words[0] == "launch":
            words += ["--executor", "inline", *(word for name, value in TINY.items() for word in ("--set", f"{name}={value}"))]
        done = robustsweep(*words, cwd=tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
