"""Whatever is killed, the same command continues: nothing finished is computed again, and the results are those of a quiet run."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.commands import PROGRAM, TINY, attempts, environment, robustsweep, rows, stored_flags, write_space

# Long enough that there is always something under way when the signal comes.
LONGER = (
    TINY.replace("epochs: 2,", "epochs: 12,")
    .replace("fine_tuning: {epochs: 1}", "fine_tuning: {epochs: 6}")
    .replace("repeats: 2", "repeats: 4")
)


@contextmanager
def launching(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A launch on Ray in a process group of its own, as a shell would start it."""
    log = (folder / "launch.log").open("w")
    process = subprocess.Popen(
        [*PROGRAM, "launch", "tiny.yaml", "--workers", "2"],
        cwd=folder,
        env=environment(),
        stdout=log,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=60)
        log.close()


def results(folder: Path) -> int:
    return len(list(folder.glob("sweeps/artifacts/*/result.json")))


def wait_for(condition: Callable[[], bool], *, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def descendants(pid: int) -> dict[int, str]:
    """Process ids below `pid` with their titles."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    parents, titles = {}, {}
    for line in listing.splitlines():
        child, parent, title = line.split(maxsplit=2)
        parents[int(child)], titles[int(child)] = int(parent), title
    found: dict[int, str] = {}
    for child in parents:
        ancestor = child
        while ancestor in parents and ancestor != pid:
            ancestor = parents[ancestor]
        if ancestor == pid and child != pid:
            found[child] = titles[child]
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert robustsweep("launch", write_space(folder, LONGER), "--executor", "inline", cwd=folder).returncode == 0
    return folder


def finish(folder: Path, undisturbed: Path) -> None:
    """Launch again to the end and compare with the quiet run."""
    done = robustsweep("launch", "tiny.yaml", "--workers", "2", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [outcomes for outcomes in attempts(folder).values() if outcomes.count("done") > 1] == []
    assert stored_flags(folder) == stored_flags(undisturbed)
    assert rows(folder) == rows(undisturbed)
    assert list(folder.glob("sweeps/artifacts/*/.*")) == []


def test_a_driver_killed_half_way_loses_and_repeats_nothing(tmp_path: Path, undisturbed: Path) -> None:
    write_space(tmp_path, LONGER)
    with launching(tmp_path) as process:
        wait_for(lambda: results(tmp_path) >= 8)
        below = descendants(process.pid)
        process.kill()
        process.wait(timeout=60)
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid, title in below.items() if "ImplicitFunc" in title))
    finished = {path.parent.name: path.stat().st_mtime_ns for path in tmp_path.glob("sweeps/artifacts/*/result.json")}
    finish(tmp_path, undisturbed)
    for key, written in finished.items():
        assert (tmp_path / "sweeps" / "artifacts" / key / "result.json").stat().st_mtime_ns == written


def test_ctrl_c_stops_cleanly_and_says_how_to_continue(tmp_path: Path, undisturbed: Path) -> None:
    write_space(tmp_path, LONGER)
    with launching(tmp_path) as process:
        wait_for(lambda: results(tmp_path) >= 3)
        below = descendants(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 130
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))
    printed = (tmp_path / "launch.log").read_text()
    assert "continue with: robustsweep launch tiny.yaml" in printed
    assert "Traceback" not in printed
    assert "sweep tiny: not running" in robustsweep("status", cwd=tmp_path).stdout
    finish(tmp_path, undisturbed)


def test_a_killed_worker_costs_one_attempt_and_changes_no_result(tmp_path: Path, undisturbed: Path) -> None:
    write_space(tmp_path, LONGER)
    with launching(tmp_path) as process:
        wait_for(lambda: any(tmp_path.glob("sweeps/artifacts/*/checkpoint")))
        workers = [pid for pid, title in descendants(process.pid).items() if "ImplicitFunc.train" in title]
        assert workers
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        assert process.wait(timeout=200) == 0, (tmp_path / "launch.log").read_text()
    outcomes = sorted(outcomes for outcomes in attempts(tmp_path).values() if outcomes != ["done"])
    assert outcomes == [["failed", "done"]]
    finish(tmp_path, undisturbed)
