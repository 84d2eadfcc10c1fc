"""A folder and a store in which drivers are let loose as processes of their own, and what they leave."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from sqlalchemy import select

from orchestrator.planning.expand import expand_space
from orchestrator.store import Store, StoreMissing, finished_keys, open_store, sweep_status
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobRecord
from search_spaces import load_space
from tests.commands import TINY, TINY_JOBS, environment, write_space
from tests.faults.judging import Kept
from tests.faults.sweeps import Watch
from tests.stored import launch

JOBS = sum(TINY_JOBS.values())


def undisturbed(folder: Path) -> Kept:
    """What drivers leave where nothing happens to them: each job's result, recorded once."""
    kept = Kept(f"sqlite:///{folder / 'undisturbed.db'}", folder)
    with open_store(kept.url, upgrade=True) as store:
        launch(store, expand_space(load_space(str(write_space(folder, TINY)), []).space), name="tiny")
    return kept


def wait_for(condition: Callable[[], bool], *, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@dataclass
class Place:
    """A folder and a store in which drivers are let loose."""

    folder: Path
    url: str
    drivers: list[subprocess.Popen[str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.watch = Watch(self)
        self.watch.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.watch.__exit__(None, None, None)
        for driver in self.drivers:
            driver.kill()
            driver.communicate(timeout=30)

    def drive(self, *options: str, sweep: str = "tiny") -> subprocess.Popen[str]:
        space = write_space(self.folder, TINY, name=sweep)
        command = [sys.executable, "-m", "tests.sleeping", str(space), "--home", str(self.folder), "--store", self.url, *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment())
        self.drivers.append(process)
        return process

    def allow(self, jobs: int) -> None:
        """So many jobs may end, and no more."""
        (self.folder / "new").write_text(str(jobs))
        (self.folder / "new").replace(self.folder / "allowed")

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    def said(self, driver: subprocess.Popen[str], *, code: int) -> str:
        """What a driver printed before it ended with this exit code."""
        printed, _ = driver.communicate(timeout=200)
        assert driver.returncode == code, printed
        return printed

    def on_disk(self) -> int:
        return len(list(self.artifacts.glob("*/*/result.json")))

    def recorded(self) -> int:
        try:
            with open_store(self.url, upgrade=False) as store:
                return len(finished_keys(store))
        except StoreMissing:
            return 0

    def drives(self, driver: subprocess.Popen[str]) -> bool:
        with open_store(self.url, upgrade=False) as store:
            return any(status.driver_pid == driver.pid for status in sweep_status(store, None))

    def computed(self) -> Counter[str]:
        return Counter((self.folder / "computed").read_text().split())


def attempts_of(store: Store) -> dict[str, list[str]]:
    with store.reading() as connection:
        found: dict[str, list[str]] = {}
        for key, outcome in connection.execute(select(AttemptRecord.job_key, AttemptRecord.outcome).order_by(AttemptRecord.id)):
            found.setdefault(key, []).append(outcome)
        return found


def assert_sound(store: Store) -> None:
    """Every job is done, by one attempt that ended after it began, and no driver is left."""
    with store.reading() as connection:
        columns = AttemptRecord.job_key, AttemptRecord.started_at, AttemptRecord.finished_at, AttemptRecord.outcome
        rows = connection.execute(select(*columns)).all()
        assert set(connection.execute(select(JobRecord.state)).scalars()) == {"done"}
    done = Counter(row.job_key for row in rows if row.outcome == "done")
    assert len(finished_keys(store)) == JOBS
    assert set(done.values()) == {1}
    assert all(row.finished_at is not None and row.finished_at >= row.started_at for row in rows)
    assert not sweep_status(store, "tiny")[0].driver_alive
