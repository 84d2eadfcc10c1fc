"""Commands on a finished sweep of 100,280 jobs that hold 40 million outcomes, each of one example in one draw: the time that they take of a
processor, starting the program included, and their memory at most. The dashboard's first page is its script's run, without the browser."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Record
from tests.benchmarks.finished_sweep import fill

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]
SEEDS = 109
COMMANDS = {
    "plan": ("plan SPACE", "< 10"),
    "launch with nothing to do": ("launch SPACE", "< 10"),
    "results": ("results finished", "< 1.5"),
    "status": ("status", "< 1.5"),
    "export": ("db export EXPORT --force", "bounded memory"),
}
_MOST_MB = "< 1000"
_USED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
found = resource.getrusage(resource.RUSAGE_CHILDREN)
print(found.ru_utime + found.ru_stime, found.ru_maxrss / 1000)
"""
_PAGE = r"""
import json, re, time
from pathlib import Path
from streamlit.testing.v1 import AppTest
page = AppTest.from_string("from orchestrator.dashboard.progress_page import page\npage()", default_timeout=600)
page.run()  # imports
before = time.process_time()
page.run()
assert page.subheader, page.exception
assert not page.exception, page.exception
megabytes = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1000  # getrusage has the parent's too
print(json.dumps({"seconds": time.process_time() - before, "megabytes": megabytes}))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("large")
    fill(found, seeds=SEEDS)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_on_100_000_jobs(home: Path, name: str, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    text, asked = COMMANDS[name]
    monkeypatch.setenv("ROBUSTSWEEP_HOME", str(home))
    words = text.replace("SPACE", str(home / "finished.yaml")).replace("EXPORT", str(home / "export")).split()
    program = [sys.executable, "-m", "orchestrator.cli.main", *words]
    done = subprocess.run([sys.executable, "-c", _USED, *program], cwd=home, check=True, stdout=subprocess.PIPE, text=True)
    seconds, megabytes = map(float, done.stdout.split())
    record(f"{name} at 100,280 done jobs, seconds of the processor", seconds, asked=asked, reference="one second")
    record(f"{name} at 100,280 done jobs: MB", megabytes, asked=_MOST_MB, reference="1 MB, the whole process")


def test_the_first_page_of_the_dashboard_on_100_000_jobs(home: Path, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBUSTSWEEP_HOME", str(home))
    done = subprocess.run([sys.executable, "-c", _PAGE], check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    name = "first page of the dashboard at 100,280 done jobs"
    record(f"{name}, seconds of the processor", found["seconds"], asked="< 1.5", reference="one second")
    record(f"{name}: MB", found["megabytes"], asked=_MOST_MB, reference="1 MB, the whole process")
