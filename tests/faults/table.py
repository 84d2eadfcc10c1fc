"""The table of faults, as the tests fill it: `python -m tests.faults.table` prints it in Markdown."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.judging import Account

FILE = Path(__file__).parents[2] / "build" / "faults.json"
COUNTED, FAILED = ("lost", "repeated", "left"), "FAILED"
Entries = dict[str, dict[str, dict[str, Any]]]


def note(fault: str, test: str, judged: Account | None, *, outcome: str, tries: int = 1) -> None:
    """Note what a test has found after a fault: it replaces what the same test noted before. Test processes may do so at once.

    A test that has `judged` no sweep, maybe since it failed before, claims no numbers.
    """
    counted = {name: None if judged is None else len(getattr(judged, name)) for name in COUNTED}
    outcome = outcome if judged is None or judged.clean else FAILED
    with _entries() as entries:
        entries.setdefault(fault, {})[test] = {"tries": tries, **counted, "outcome": outcome}


@contextmanager
def _entries() -> Iterator[Entries]:
    FILE.parent.mkdir(exist_ok=True)
    with FILE.open("a+") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        opened.seek(0)
        entries = json.loads(opened.read() or "{}")
        yield entries
        opened.truncate(0)
        opened.write(json.dumps(entries, indent=1, sort_keys=True) + "\n")


def read() -> Entries:
    """What all tests have noted so far, by fault and test."""
    entries: Entries = json.loads(FILE.read_text())
    return entries


def markdown(entries: Entries) -> str:
    """A row for each fault, over all tests of it; a number that one of them has not counted is `-`."""
    lines = ["| fault | tries | lost | repeated | left over | outcome |", "|---|---:|---:|---:|---:|---|"]
    for fault, tests in entries.items():
        numbers = " | ".join(_total([entry[name] for entry in tests.values()]) for name in ("tries", *COUNTED))
        outcomes = "; ".join(dict.fromkeys(entry["outcome"] for _, entry in sorted(tests.items())))
        lines.append(f"| {fault} | {numbers} | {outcomes} |")
    return "\n".join(lines)


def _total(numbers: list[int | None]) -> str:
    counted = [number for number in numbers if number is not None]
    return str(sum(counted)) if len(counted) == len(numbers) else "-"


if __name__ == "__main__":
    print(markdown(read()))
