"""The `robustsweep` command as a user runs it, and small spaces for it."""

import json
import os
import sqlite3
import subprocess
import sys
import warnings
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

TINY = """
data: {name: digits, train_examples: 64}
model: {width: 2, theta: [1.0, 0.8]}
training: {epochs: 2, batch_size: 32}
fine_tuning: {epochs: 1}
evaluation: {examples: 12, batch_size: 6, repeats: 2}
attacks:
  - {attack: [fgsm, pgd], epsilon: [2/255, 8/255]}
  - {attack: pgd, epsilon: 8/255, knowledge: [omniscient, transfer]}
"""
# What is not random is measured once: all of the net without a sketch but PGD, which starts at random. That net is the source of what is
# transferred to the sketched one.
TINY_JOBS = {"pretrain": 1, "fine_tune": 1, "evaluate": 1 + 2, "craft": 2, "attack": (2 * 1 + 2 * 2 + 1) + (4 + 1 + 1) * 2}
PROGRAM = [sys.executable, "-W", "error::DeprecationWarning:orchestrator", "-m", "orchestrator.cli.main"]
_NEVER_FORKED = ("dashboard", "doctor", "submit")
FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "orchestrator.cli.main",
        "orchestrator.launching.launch",
        "orchestrator.api.results",
        "workers.runtime.stages",
        "sklearn.datasets",
        "torch._dynamo",  # by any optimizer's first step
    ]
)


def write_space(folder: Path, text: str = TINY, *, name: str = "tiny") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def robustsweep(*arguments: str | Path, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program in `cwd` (whose `sweeps` is its home) and return what it printed.

    Its process is forked from one that has imported the program, which saves seconds of imports. What starts Ray or Streamlit, which do
    not survive a fork, gets a process of its own; so does what hides a password among the arguments of its process.
    """
    said = [*map(str, arguments)]
    if not said or said[0] in _NEVER_FORKED or (said[0] == "launch" and "inline" not in said) or any("://" in one for one in said):
        return subprocess.run([*PROGRAM, *said], cwd=cwd, env=environment(env), capture_output=True, text=True, timeout=240, check=False)
    with TemporaryDirectory() as folder:
        outputs = [Path(folder) / name for name in ("stdout", "stderr")]
        process = FORKS.Process(target=_forked, args=(said, cwd, environment(env), outputs))
        process.start()
        process.join(240)
        assert process.exitcode is not None, f"{said} did not end"
        return subprocess.CompletedProcess(said, process.exitcode, *(path.read_text() for path in outputs))


def _forked(arguments: list[str], cwd: Path, env: dict[str, str], outputs: list[Path]) -> None:
    from orchestrator.cli.main import main

    for number, path in enumerate(outputs, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.path[:] = [str(Path(__file__).parents[1]), *filter(None, sys.path)]
    sys.argv = ["robustsweep", *arguments]
    warnings.filterwarnings("error", category=DeprecationWarning, module="orchestrator")
    main()


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """This process's environment without the user's own settings of the program."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROBUSTSWEEP_")}
    return kept | {"COLUMNS": "120"} | (extra or {})


def rows(cwd: Path, sweep: str = "tiny", *options: str) -> list[dict[str, Any]]:
    """The JSON results of a sweep."""
    done = robustsweep("results", sweep, "--format", "json", *options, cwd=cwd)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def attempts(cwd: Path) -> dict[str, list[str]]:
    """The outcomes of every attempt by job key, in order, as the database has them."""
    connection = sqlite3.connect(cwd / "sweeps" / "results.db")
    try:
        found: dict[str, list[str]] = {}
        for key, outcome in connection.execute("SELECT job_key, outcome FROM attempts ORDER BY id"):
            found.setdefault(key, []).append(outcome)
        return found
    finally:
        connection.close()


def stored_flags(cwd: Path) -> dict[str, bytes]:
    """Per-example flags by job key."""
    connection = sqlite3.connect(cwd / "sweeps" / "results.db")
    try:
        return dict(connection.execute("SELECT job_key, flags FROM attack_results UNION SELECT job_key, flags FROM clean_results"))
    finally:
        connection.close()
