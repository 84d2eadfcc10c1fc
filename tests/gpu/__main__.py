"""`make gpu`: everything that needs a GPU to be shown, in parts, each with a time of its own; the findings are in `build/gpu.json`.

Without a GPU it says so, and runs the same parts on the CPU in tiny sizes, so that every path of the code is taken.
"""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from tests.gpu.checks import CHECKS, exact_products
from tests.gpu.machine import Machine, Part, Report
from tests.gpu.ratios import RATIOS
from tests.gpu.sweeps import fast_recipe, reachable, table_1

_SHARES = {"checks": 0.2, "ratios": 0.2, "fast recipe": 0.35, "table 1": 0.25}
_MINUTES = 9.0


def main() -> int:
    """Run the parts; return the exit code: 1 where a check failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("ROBUSTSWEEP_DATA"), help="data root with cifar-10-batches-py/")
    parser.add_argument("--minutes", type=float, default=_MINUTES, help=f"time for all parts together (default: {_MINUTES:g})")
    parser.add_argument("--output", type=Path, default=Path("build/gpu.json"))
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--parts", nargs="*", choices=list(_SHARES), default=list(_SHARES))
    chosen = parser.parse_args()
    data = Path(chosen.data) if chosen.data is not None and reachable(Path(chosen.data)) else None
    machine = Machine(torch.device(chosen.device), data)
    report = Report(chosen.output, {"machine": machine.described(), "complete": False})
    if not machine.is_gpu:
        torch.set_num_threads(1)
        print("no GPU here: the same parts run on the CPU in tiny sizes, as stand-ins; their times say nothing about a GPU", flush=True)
    failed = sum(_run(name, machine, report.part(name), seconds=60 * chosen.minutes * _SHARES[name]) for name in chosen.parts)
    report.found["complete"] = True
    report.write()
    print(f"written: {chosen.output}; {failed or 'no'} failures", flush=True)
    return int(failed > 0)


def _run(name: str, machine: Machine, part: Part, *, seconds: float) -> int:
    """Run one part within its time; return the number of failures."""
    print(f"{name} ({seconds:.0f} s)", flush=True)
    start = time.monotonic()
    parts: dict[str, Callable[[], int]] = {
        "checks": lambda: _each({check: _checked(function, machine, part) for check, function in CHECKS.items()}, part, seconds=seconds),
        "ratios": lambda: _each({ratio: _measured(function, machine, part) for ratio, function in RATIOS.items()}, part, seconds=seconds),
        "fast recipe": lambda: _each({name: lambda: fast_recipe(machine, part, seconds=seconds)}, part, seconds=seconds),
        "table 1": lambda: _each({name: lambda: table_1(machine, part, seconds=seconds)}, part, seconds=seconds),
    }
    failures = parts[name]()
    part.end(seconds=round(time.monotonic() - start, 1), failures=failures)
    return failures


def _checked(check: Callable[[Machine], None], machine: Machine, part: Part) -> Callable[[], None]:
    def run() -> None:
        with exact_products():
            check(machine)
        part.note(check.__name__, "passed")

    return run


def _measured(ratio: Callable[[Machine, Part], None], machine: Machine, part: Part) -> Callable[[], None]:
    return lambda: ratio(machine, part)


def _each(works: dict[str, Callable[[], None]], part: Part, *, seconds: float) -> int:
    """Do each piece of work while there is time; return how many failed. What there was no time for is noted."""
    failures, end = 0, time.monotonic() + seconds
    for name, work in works.items():
        if time.monotonic() > end:
            part.note(name, "left out: the part's time is over")
            continue
        try:
            work()
        except Exception:
            failures += 1
            part.note(name, f"FAILED\n{traceback.format_exc(limit=-6)}")
    return failures


if __name__ == "__main__":
    sys.exit(main())
