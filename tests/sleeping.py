"""A driver like `robustsweep launch`, in a process of its own, whose jobs sleep instead of computing: for faults that drivers meet.

`HOME/computed` has a line for each job that was computed. `HOME/allowed` says how many jobs may end, if not all; once `HOME/step` is there
the process's clock is wrong. Times of leases may be shorter.
"""

import argparse
import os
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator.store.schema import base as columns

SLOTS = 2


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("space")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--store")
    parser.add_argument("--seconds", type=float, default=0.15, help="how long a job sleeps")
    parser.add_argument("--alive", type=float, default=30.0, help="how long a driver may be silent")
    parser.add_argument("--clock", type=float, default=0.0, help="hours by which the clock is set")
    return parser.parse_args()


def set_clock(hours: float, step: Path) -> None:
    """In every module that has imported the clock, and those that will."""
    right = columns.utc_now

    def clock() -> datetime:
        return right() + timedelta(hours=hours if step.exists() else 0)

    for module in list(sys.modules.values()):
        if getattr(module, "utc_now", None) is right:
            module.utc_now = clock  # type: ignore[attr-defined]


def done(log: Path) -> int:
    return len(log.read_text().split()) if log.exists() else 0


def allowed(number: Path) -> float:
    return int(number.read_text()) if number.exists() else float("inf")


def main() -> int:
    asked = parsed()
    set_clock(asked.clock, asked.home / "step")

    from rich.console import Console

    from orchestrator.driver import lease_wait as leasing
    from orchestrator.driver.sweep_run import SweepRun
    from orchestrator.launching import launch as launching
    from orchestrator.paths import Paths
    from orchestrator.store.leases import leases
    from tests.builders import result_of
    from workers.errors import SupersededError, UserError

    leases.ALIVE, leases.HEARTBEAT = timedelta(seconds=asked.alive), timedelta(seconds=asked.alive / 6)
    leasing.WATCH_SECONDS = asked.alive / 2
    paths = Paths.resolve(home=asked.home, store=asked.store)

    class SleepingExecutor:
        """As many jobs at a time as a small machine has workers; each leaves its result at its end."""

        def execute(self, sweep: SweepRun) -> None:
            sweep.slots = SLOTS
            busy = {}
            while not sweep.drained:
                while len(busy) < SLOTS and (job := sweep.take()) is not None:
                    sweep.begin(job)
                    busy[job.key] = job, time.monotonic() + asked.seconds
                time.sleep(0.01)
                for job, end in list(busy.values()):
                    if time.monotonic() >= end and done(asked.home / "computed") < allowed(asked.home / "allowed"):
                        del busy[job.key]
                        if job.key in paths.artifacts.finished():  # as workers do
                            sweep.succeed(job)
                            continue
                        folder = paths.artifacts.folder(job.key, attempt=f"sleeping-{os.getpid()}")
                        try:
                            folder.begin(job)
                            with (asked.home / "computed").open("a") as log:
                                log.write(f"{job.key}\n")
                            folder.commit(result_of(job))
                        except SupersededError as error:  # another sweep's attempt at the same job has begun, or ended
                            sweep.superseded(job, error=str(error))
                        else:
                            sweep.succeed(job)

    options = launching.LaunchOptions(asked.space, paths, executor=lambda *_: SleepingExecutor())
    try:
        return launching.launch(options, Console())
    except UserError as error:
        print(f"robustsweep: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
