"""`make chaos`: a sweep of 256 small jobs whose drivers and workers are killed at random, launched again until all is done.

What is counted: a job is *repeated* if it was computed again although its result was there (see `judging.account`), and *lost* if its
rows in the end are not those of the undisturbed run. An attempt that was cut short is neither: it is work done again, in seconds.
"""

import argparse
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.judging import Account, account, attempts, running_attempts
from tests.faults.processes import send, workers
from tests.faults.sweeps import Launch, Sweep, Watch
from tests.faults.table import note

_FOLDER = Path(__file__).parents[2] / "build" / "chaos"
_SPACE = """
data: {name: digits, train_examples: 64}
model: {width: 2, theta: [1.0, 0.9, 0.8]}
seed: [0, 1]
training: {epochs: 6, batch_size: 32}
fine_tuning: {epochs: 3}
evaluation: {examples: 12, batch_size: 6, repeats: 3}
attacks:
  - {attack: [fgsm, pgd], epsilon: [2/255, 4/255, 8/255]}
  - {attack: [bim, pgd], epsilon: [4/255, 8/255], knowledge: [omniscient, transfer]}
diagnosis: {depth: quick, examples: 4, batch_size: 4, steps: 2, more_steps: 4, queries: 4, eot_samples: 2, selection_draws: 2, draws: 2}
surfaces: [{resolution: 3}]
"""
# A kill comes after some more results and a moment more, so that a slow machine gets as far between two of them as a fast one.
_MOST_RESULTS, _MOST_SECONDS = 12, 1.0


@dataclass
class Chaos:
    """Kills what it finds, at the moments and in the order that its seed says."""

    sweep: Sweep
    generator: random.Random
    drivers: float
    kills: Counter[str] = field(default_factory=Counter)
    seconds_at_risk: float = 0.0

    def unleash(self, launch: Launch, since: float) -> int:
        """Kill until the launch has ended, by itself or not; its exit code."""
        while self._moment_comes(launch):
            if self.generator.random() < self.drivers:
                self._kill_driver(launch, since)
            elif found := sorted(workers(launch.session)):
                self.seconds_at_risk += max(running_attempts(self.sweep, since=since), default=0.0)
                send(signal.SIGKILL, [self.generator.choice(found)])
                self.kills["workers"] += 1
        return launch.finish()

    def _kill_driver(self, launch: Launch, since: float) -> None:
        self.seconds_at_risk += sum(running_attempts(self.sweep, since=since))
        launch.kill_driver()
        self.kills["drivers"] += 1

    def _moment_comes(self, launch: Launch) -> bool:
        """Wait for the next moment; False if the launch has ended before."""
        awaited = len(self.sweep.finished()) + self.generator.randint(0, _MOST_RESULTS)
        while launch.running and len(self.sweep.finished()) < awaited:
            time.sleep(0.02)
        time.sleep(self.generator.uniform(0, _MOST_SECONDS))
        return launch.running


def _undisturbed(options: Sequence[str]) -> tuple[Sweep, float]:
    sweep = Sweep.make(_FOLDER / "quiet", _SPACE, *options)
    began = time.monotonic()
    if sweep.launch_to_the_end() != 0:
        sys.exit((sweep.folder / "launch.log").read_text())
    return sweep, time.monotonic() - began


def _disturbed(seed: int, drivers: float, options: Sequence[str]) -> tuple[Chaos, Watch, int, float]:
    chaos = Chaos(Sweep.make(_FOLDER / "chaos", _SPACE, *options), random.Random(seed), drivers)
    began, launches, code = time.monotonic(), 0, 1
    with Watch(chaos.sweep) as watch, ExitStack() as running:
        while code != 0:
            since = time.time()
            code = chaos.unleash(running.enter_context(chaos.sweep.launched()), since)
            launches += 1
    return chaos, watch, launches, time.monotonic() - began


def _print(chaos: Chaos, found: Account, *, jobs: int, launches: int, seconds: float, quiet_seconds: float) -> None:
    tried = [outcome for outcomes in attempts(chaos.sweep).values() for outcome, _ in outcomes]
    print(f"kills     {chaos.kills.total()} ({chaos.kills['drivers']} drivers, {chaos.kills['workers']} workers); {launches} launches")
    print(f"jobs      {jobs}, {len(tried) - tried.count('done')} attempts that did not record a result")
    print(f"repeats   {len(found.repeated)}")
    print(f"lost      {len(found.lost)}")
    print(f"left      {len(found.left)} temporary files")
    print(f"redone    at most {chaos.seconds_at_risk:.1f} s of work, in attempts that were cut short")
    print(f"seconds   {seconds:.1f}, {seconds - quiet_seconds:.1f} over the undisturbed run's {quiet_seconds:.1f}")


def main() -> int:
    """Run the sweep twice, undisturbed and not; 1 if something was lost, repeated or left lying about."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="of the kills; random if left out")
    parser.add_argument("--executor", choices=("ray", "processes"), default="ray", help="where the jobs run (default: ray)")
    parser.add_argument("--drivers", type=float, default=0.25, help="share of the kills that are of the driver (default: 0.25)")
    arguments = parser.parse_args()
    seed, options = arguments.seed, ("--executor", arguments.executor, "--workers", "2")
    print(f"seed      {seed}", flush=True)
    shutil.rmtree(_FOLDER, ignore_errors=True)
    quiet, quiet_seconds = _undisturbed(options)
    chaos, watch, launches, seconds = _disturbed(seed, arguments.drivers, options)
    found = account(chaos.sweep, quiet, watch)
    _print(chaos, found, jobs=len(quiet.finished()), launches=launches, seconds=seconds, quiet_seconds=quiet_seconds)
    note(
        f"drivers and workers killed at random, {arguments.executor} (`make chaos`)",
        f"chaos-{arguments.executor}",
        found,
        tries=chaos.kills.total(),
        outcome="launched again until done",
    )
    return 0 if found.clean else 1


if __name__ == "__main__":
    sys.exit(main())
