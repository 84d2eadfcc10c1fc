"""The table of faults, as the tests fill it: `python -m tests.faults.table` prints it in Markdown."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.judging import Account

FILE = Path(__file__).parents[2] / "build" / "faults.json"
Entries = dict[str, dict[str, dict[str, Any]]]


def note(fault: str, test: str, judged: Account, *, outcome: str, tries: int = 1) -> None:
    """Note what a test has found after a fault: it replaces what the same test noted before. Test processes may do so at once."""
    counted = {"lost": len(judged.lost), "repeated": len(judged.repeated), "left": len(judged.left)}
    _enter(fault, test, {"tries": tries, **counted, "outcome": outcome if judged.clean else "FAILED"})


def note_mark(fault: str, *, outcome: str, test: str, passed: bool) -> None:
    """Note that a test marked `fault` has passed, which says that nothing was lost or repeated, or that it has not."""
    _enter(fault, test, {"tries": 1, "lost": 0, "repeated": 0, "left": 0, "outcome": outcome if passed else "FAILED"})


def _enter(fault: str, test: str, entry: dict[str, Any]) -> None:
    with _entries() as entries:
        entries.setdefault(fault, {})[test] = entry


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
    """A row for each fault, over all tests of it."""
    lines = ["| fault | tries | lost | repeated | outcome |", "|---|---:|---:|---:|---|"]
    for fault, tests in entries.items():
        tries, lost, repeated = (sum(entry[name] for entry in tests.values()) for name in ("tries", "lost", "repeated"))
        outcomes = "; ".join(dict.fromkeys(entry["outcome"] for _, entry in sorted(tests.items())))
        lines.append(f"| {fault} | {tries} | {lost} | {repeated} | {outcomes} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(read()))
