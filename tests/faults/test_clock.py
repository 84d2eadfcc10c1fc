"""A wall clock that is set, hours back and hours on, while a sweep runs."""

import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.commands import robustsweep
from tests.faults.judging import Judge
from tests.faults.processes import freeze, send, wait_for, workers
from tests.faults.sweeps import Sweep, Watch, wait_for_results

pytestmark = pytest.mark.timeout(900)  # several launches; seconds where nothing else computes

_SHIFTS = (-7200, 7200)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled library that shifts the clock of the processes that load it."""
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("the clock is shifted by a small library in C, and there is no compiler")
    path = tmp_path_factory.mktemp("clock") / "shifted_clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", path, Path(__file__).with_name("shifted_clock.c")], check=True)
    return path


@pytest.mark.fault("clock stepped by 2 h, back and on", outcome="results and attempts as ever; times in the database are the clock's")
@pytest.mark.slow
def test_a_clock_that_is_set_back_and_on_again_changes_nothing(library: Path, tmp_path: Path, quiet: Sweep, judge: Judge) -> None:
    shift = tmp_path / "shift"
    shift.write_text("0")
    sweep = Sweep.make(tmp_path, variables={"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(shift)})
    with Watch(sweep) as watch, sweep.launched() as launch:
        for results, seconds in zip((4, 14), _SHIFTS, strict=True):
            wait_for_results(sweep, launch, results)
            halted = workers(launch.session)
            freeze(halted)  # else the sweep might be over before the driver's next heartbeat
            shift.write_text(str(seconds))
            wait_for(lambda seconds=seconds: _is_shifted(sweep, seconds), what="a heartbeat under the new time")
            send(signal.SIGCONT, halted)
        assert launch.finish() == 0, launch.log.read_text()
    assert "sweep tiny: finished" in robustsweep("status", cwd=sweep.folder).stdout
    judge(sweep, quiet, watch, clock=False)


def _is_shifted(sweep: Sweep, seconds: int) -> bool:
    """Whether the driver's last heartbeat was at a time that is wrong by so many seconds."""
    with closing(sqlite3.connect(sweep.database)) as connection:
        (beat,) = connection.execute("SELECT heartbeat_at FROM sweeps").fetchone()
    assert beat is not None, "the sweep was over before the clock was shifted"
    wrong = datetime.fromisoformat(beat).replace(tzinfo=UTC) - datetime.now(UTC)
    return abs(wrong.total_seconds() - seconds) < 60
