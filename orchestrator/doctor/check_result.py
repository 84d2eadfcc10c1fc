"""Result of one check."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from workers.errors import UserError

Status = Literal["ok", "warning", "wrong"]
STATUSES: tuple[Status, ...] = ("ok", "warning", "wrong")


@dataclass(frozen=True)
class CheckResult:
    """Result of one check: its subject, what was found, and, where that needs correction, what to do.

    A `warning` lets a sweep run all the same; with something `wrong` it would not start, or would fail.
    """

    status: Status
    what: str
    found: str
    advice: str = ""


def counts(lines: Iterable[CheckResult]) -> dict[Status, int]:
    """Count the lines of each status."""
    found = Counter(line.status for line in lines)
    return {status: found[status] for status in STATUSES}


def exit_code(lines: Iterable[CheckResult]) -> int:
    """Return 1 if something is wrong, else 0."""
    return int(any(line.status == "wrong" for line in lines))


def guarded(what: str, check: Callable[[], list[CheckResult]], *, advice: str = "") -> list[CheckResult]:
    """Return a check's lines; an error that it raises becomes a line, never a traceback."""
    try:
        return check()
    except UserError as error:
        return [CheckResult("wrong", what, str(error), advice)]
    except Exception as error:  # file systems, networks and drivers have errors of their own, and the other checks must go on
        return [CheckResult("wrong", what, f"{type(error).__name__}: {first_line(error)}", advice)]


def first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "no reason given")
