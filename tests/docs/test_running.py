"""What README and the pages tell one to type does what it says: commands and Python are run, on tiny networks; what is not run is named."""

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browsers import skip_without_browser
from tests.commands import PROGRAM, environment, robustsweep, rows
from tests.docs.blocks import COMMENT, Block, blocks

TINY: dict[str, Any] = {
    "data.train_examples": 64,
    "model.width": 2,
    "training.epochs": 1,
    "fine_tuning.epochs": 1,
    "evaluation.examples": 12,
    "evaluation.repeats": 2,
    "attacks.0.epsilon": "8/255",
    "attacks.1.epsilon": "8/255",
    "attacks.0.keep_examples": 4,
    "diagnosis.examples": 10,
    "diagnosis.queries": 10,
}
SMALL = ["--executor", "inline", *(word for name, value in TINY.items() for word in ("--set", f"{name}={value}"))]
PARSED_ONLY = {
    "dashboard": "serves until it is stopped; tests/orchestrator/dashboard",
    "doctor": "asks for data that is not here; tests/orchestrator/launching/doctor",
    "submit": "needs a cluster; tests/orchestrator/launching",
    "--fooled": "of a network that is right first; tests/orchestrator/report/examples",
    "audit": "of a network of one's own; tests/orchestrator/audit",
    "verify": "of a bundle; tests/orchestrator/audit/bundle",
    "compare": "of two sweeps; tests/contracts",
    "surfaces": "of another space; tests/orchestrator/report",
    "init": "tests/own/test_init.py, with what follows it",
    "mine.py": "tests/own/test_init.py",
    "mine.yaml": "tests/own/test_init.py",
    "mine": "tests/own/test_init.py",
    "my-space.yaml": "a reader's own",
    "table1": "needs CIFAR-10",
    "table1-small": "needs CIFAR-10",
    "search-digits": "a search, minutes; tests/orchestrator/search",
    "adversarial-smoke": "minutes; its settings are those of tests/workers/train",
    "overfitting-small": "minutes; its settings are those of tests/workers/train",
    "defences-smoke": "minutes; its defences are those of tests/workers/defences",
    "diagnosis.depth=full": "minutes; tests/orchestrator/statistics/verdict",
}
"""Words of the commands that are parsed and not run here, and why, or where they are run."""


def typed() -> list[str]:
    lines = [line for block in blocks("sh") for line in block.text.splitlines()]
    return list(dict.fromkeys(said for line in lines if (said := COMMENT.sub("", line).strip()).startswith("robustsweep ")))


_KEYS = {"3f9a21", "KEY"}  # as the pages name one
RUN = [line for line in typed() if not set(shlex.split(line)) & set(PARSED_ONLY)]


def test_most_commands_are_run_and_no_reason_is_out_of_date() -> None:
    assert len(RUN) >= len(typed()) // 2
    used = {word for line in typed() for word in shlex.split(line)}
    assert set(PARSED_ONLY) - used == set()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which the first of README's commands has run."""
    folder = tmp_path_factory.mktemp("reader")
    launch = [*PROGRAM, "launch", "quickstart", *SMALL]  # half a minute, and more than `robustsweep` waits for where others compute
    done = subprocess.run(launch, cwd=folder, env=environment(), capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("line", RUN)
def test_a_command_of_a_page_runs(line: str, folder: Path) -> None:
    if "--figures" in line:
        skip_without_browser()
    _, *words = shlex.split(line)
    if words[0] == "launch":
        words += SMALL
    places = {"SWEEP": "quickstart"}
    if _KEYS & set(words):
        places |= dict.fromkeys(_KEYS, _key(folder)[:8])
    done = robustsweep(*(places.get(word, word) for word in words), cwd=folder)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr


def _key(folder: Path) -> str:
    """The key of an attack's job."""
    done = robustsweep(
        "query", "SELECT job_key FROM v_jobs WHERE stage = 'attack' AND spec LIKE '%keep_examples%'", "-f", "json", cwd=folder
    )
    key: str = json.loads(done.stdout)[0]["job_key"]
    return key


PRELUDE = "import torch\nx, y = torch.rand(4, 3, 32, 32), torch.arange(4)\n"
SMALLER = {
    'home="sweeps", set={"model.width": 8}': f'home="small", executor="inline", set={TINY!r}',
    'home="sweeps", set={"evaluation.examples": 100}': 'home="small", executor="inline", set={"evaluation.examples": 12, '
    '"data.train_examples": 64, "training.epochs": 1}',
}


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.filterwarnings("ignore:The given buffer is not writable")  # PyTorch's, of its own file
@pytest.mark.parametrize("block", [block for block in blocks("python") if "@rs." not in block.text], ids=str)
def test_python_of_a_page_runs(block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    code = block.text
    for said, smaller in SMALLER.items():
        code = code.replace(said, smaller)
    if "net." in code and "load" in code:
        suffix = ".pt2" if "net.pt2" in code else ".safetensors"
        key = next(row["model_key"] for row in rows(folder, "quickstart") if row["theta"] == 1)
        done = robustsweep("export-model", key, f"net{suffix}", cwd=folder)
        assert done.returncode == 0, done.stderr
    exec(compile(PRELUDE + code, str(block), "exec"), {})
