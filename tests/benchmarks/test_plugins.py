"""`plan` of a space with a plugin, the one that `init` writes: the processor's time, against importing torch alone."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Record

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]
_COMMAND = ("-m", "orchestrator.cli.main")


def seconds(*words: str, cwd: Path) -> float:
    """The processor's time of one Python process, the least of three."""
    found = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], cwd=cwd, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def test_plan_of_a_space_with_a_plugin(tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is again and again, the plugin being unchanged since it ran here last; and at first, where there is nothing in the cache."""
    monkeypatch.setenv("ROBUSTSWEEP_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    subprocess.run([sys.executable, *_COMMAND, "init", "mine"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    planned, torch = seconds(*_COMMAND, "plan", "mine.yaml", cwd=tmp_path), seconds("-c", "import torch", cwd=tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine.yaml"))  # in which nothing can be kept
    first = seconds(*_COMMAND, "plan", "mine.yaml", cwd=tmp_path)
    record("plan of a space with a known plugin, seconds of the processor", planned, asked="< 1.5", reference="one second")
    record("plan of a space with a known plugin, against import torch", planned / torch, asked="< 1", reference="import torch")
    record("plan of a space with a plugin for the first time, against import torch", first / torch, asked="< 2", reference="import torch")


def test_plan_of_a_space_with_a_plugin_imports_torch_once_and_no_data(
    tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once at first; not at all as long as the plugin stays as it is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    subprocess.run([sys.executable, *_COMMAND, "init", "mine"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    for time, asked in (("first", 1), ("second", 0)):
        timed = [sys.executable, "-X", "importtime", *_COMMAND, "plan", "mine.yaml", "--home", str(tmp_path)]
        said = subprocess.run(timed, cwd=tmp_path, check=True, capture_output=True, text=True).stderr
        imported = [line.rpartition("|")[2].strip() for line in said.splitlines()]
        assert imported.count("torch") == asked
        assert not {"sklearn", "ray", "torchvision", "foolbox"}.intersection(imported)
        record(
            f"imports of torch by the {time} plan of a space with a plugin", imported.count("torch"), asked=f"<= {asked}", reference="one"
        )
