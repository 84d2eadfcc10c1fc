"""Commands on a finished sweep of 11,040 jobs: how long people wait for what is there already, starting the program included."""

import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Record
from tests.benchmarks.finished_sweep import fill

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]
COMMANDS = {
    "results": ("results finished", "< 2"),
    "plan": ("plan SPACE", "< 2.5"),
    "launch with nothing to do": ("launch SPACE", "< 2.5"),
    "report": ("report finished -o report.html", "< 2.5"),
    "plan quickstart": ("plan quickstart", "< 1"),
    "help": ("--help", "< 0.5"),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("finished")
    fill(found)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_on_a_finished_sweep(home: Path, name: str, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    text, asked = COMMANDS[name]
    monkeypatch.setenv("ROBUSTSWEEP_HOME", str(home))
    words = text.replace("SPACE", str(home / "finished.yaml")).split()
    walls, cpus = [], []
    for _ in range(3):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, "-m", "orchestrator.cli.main", *words], cwd=home, check=True, stdout=subprocess.DEVNULL)
        walls.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    record(f"{name} at 11,040 done jobs, seconds", min(walls), asked=asked, reference="one second")
    record(f"{name} at 11,040 done jobs, seconds of the processor", min(cpus), asked=asked, reference="one second")
