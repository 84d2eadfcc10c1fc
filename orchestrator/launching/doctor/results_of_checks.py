"""Result of one check: made within a time limit, and rendered for people and for programs."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from queue import Empty, Queue
from threading import Thread
from typing import Literal, TypeVar

from rich.console import RenderableType
from rich.text import Text

from orchestrator.tables.table import Column, Mark, Table, Tone
from orchestrator.tables.writers import Format, render
from orchestrator.terminal.escaping import json_text, visible
from workers.errors import UserError, first_line

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


_WORDS: dict[Status, tuple[str, Tone, str]] = {
    "ok": ("ok", "good", "green"),
    "warning": ("look", "doubtful", "yellow"),
    "wrong": ("WRONG", "bad", "bold red"),
}
_WIDTH = len("authentication")


def render_result(line: CheckResult) -> Text:
    """Render one check in one line: its status, what was found, and what to do, if anything."""
    word, _, style = _WORDS[line.status]
    found = Text.assemble((f"{word:<5}", style), f"  {line.what:<{_WIDTH}}  {visible(line.found)}")
    return found.append(f" -> {visible(line.advice)}") if line.status != "ok" and line.advice else found


def render_counts(lines: Sequence[CheckResult]) -> Text:
    """Render the last line."""
    found = counts(lines)
    return Text(f"{found['ok']} ok, {found['warning']} to look at, {found['wrong']} wrong")


def render_results(lines: Sequence[CheckResult], form: Format) -> str | RenderableType:
    """Render all lines for documents or programs; as JSON with their counts."""
    if form == "json":
        return json_text({"lines": [asdict(line) for line in lines], "counts": counts(lines)}, indent=1)
    columns = (Column("status"), Column("what"), Column("found", wraps=True), Column("advice", wraps=True))
    rows = tuple((line.status if form == "csv" else Mark(*_WORDS[line.status][:2]), line.what, line.found, line.advice) for line in lines)
    return render(Table(columns=columns, rows=rows, title="Pre-flight"), form)


TIMEOUT = 30.0
"""Time limit of one check in seconds; nothing that a sweep can work with takes longer."""

T = TypeVar("T")


def with_timeout(seconds: float, check: Callable[[], T], *, what: str) -> T:
    """Return what the check returns, or raise what it raises; it is left running if that takes longer.

    Raises:
        UserError: it took longer.
    """
    answers: Queue[tuple[T | None, BaseException | None]] = Queue()

    def run() -> None:
        try:
            answers.put((check(), None))
        except BaseException as error:
            answers.put((None, error))

    Thread(target=run, daemon=True).start()
    try:
        found, error = answers.get(timeout=seconds)
    except Empty:
        raise UserError(f"{what}: no answer within {seconds:g} s") from None
    if error is not None:
        raise error
    return found  # type: ignore[return-value]
