"""Progress display of a running sweep: a live table on a terminal, a bar in a notebook, a line every few seconds in a log file."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from importlib import import_module
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestrator.driver.sweep_run import SweepRun
from orchestrator.store.reading.values import STATES, JobState
from orchestrator.terminal.console import clock, say
from orchestrator.terminal.escaping import visible

_STYLES: dict[JobState, str] = {"done": "green", "running": "cyan", "waiting": "dim", "failed": "bold red", "blocked": "red"}
_LINE_SECONDS = 10.0
_BAR_SECONDS = 1.0
_MOST_RUNNING = 4


@contextmanager
def show_progress(sweep: SweepRun, *, name: str, console: Console) -> Iterator[None]:
    """Show the sweep's progress inside this context."""
    if (cell := _notebook_cell()) is not None:
        with _repeated(lambda: cell(progress_bar(sweep, name)), seconds=_BAR_SECONDS):
            yield
        return
    if not console.is_terminal:
        with _repeated(lambda: say(console, progress_line(sweep)), seconds=_LINE_SECONDS):
            yield
        return
    display = _Display(sweep, name)
    with Live(get_renderable=display.render, console=console, refresh_per_second=4, transient=False):
        yield


class _Display:
    def __init__(self, sweep: SweepRun, name: str) -> None:
        self._sweep, self._name = sweep, name

    def render(self) -> Group:
        table = Table(title=Text(visible(f"sweep {self._name}"), style="bold"), title_justify="left", expand=False)
        table.add_column("stage")
        for state in STATES:
            table.add_column(state, justify="right")
        for stage, counts in self._sweep.queue.counts().items():
            if sum(counts.values()):
                counts["waiting"] += counts["queued"]
                cells = [Text(str(counts[state]), style=_STYLES[state] if counts[state] else "dim") for state in STATES]
                table.add_row(stage, *cells)
        source = [] if self._sweep.source is None else [Text(visible(self._sweep.source.summary()))]
        running = self._sweep.running
        more = [f"and {len(running) - _MOST_RUNNING} more"] if len(running) > _MOST_RUNNING else []
        told = [*(f"runs: {job}" for job in running[:_MOST_RUNNING]), *more]
        lines = [_times(self._sweep), f"last: {self._sweep.last_event}", *told, *filter(None, [self._sweep.recorder.complaint])]
        return Group(table, *source, *(Text(visible(line), overflow="ellipsis", no_wrap=True) for line in lines))


@contextmanager
def _repeated(show: Callable[[], None], *, seconds: float) -> Iterator[None]:
    """Inside, call `show` at once, every so many seconds, and a last time at the end."""
    show()
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(seconds):
            show()

    thread = threading.Thread(target=repeat, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        show()


def _notebook_cell() -> Callable[[str], None] | None:
    """A function that shows HTML in the notebook's cell that is running, in place of what it showed before; None where there is none."""
    if "IPython" not in sys.modules:
        return None
    shell: Any = import_module("IPython")  # untyped, and in few installations
    cell: Any = import_module("IPython.display")
    if not hasattr(shell.get_ipython(), "kernel"):
        return None
    shown = cell.display(cell.HTML(""), display_id=True)
    return lambda html: shown.update(cell.HTML(html))


def progress_bar(sweep: SweepRun, name: str) -> str:
    """Describe the progress as HTML: a bar and one line."""
    total = sum(sum(stage.values()) for stage in sweep.queue.counts().values())
    bar = f'<progress value="{sweep.queue.total("done")}" max="{max(total, 1)}" style="width: 24em"></progress>'
    return f"<b>sweep {escape(visible(name))}</b> {bar}<br>{escape(visible(progress_line(sweep)))}"


def progress_line(sweep: SweepRun) -> str:
    """Describe the progress in one line."""
    counts = sweep.queue.counts()
    total = sum(sum(stage.values()) for stage in counts.values())
    numbers = {state: sweep.queue.total(state) for state in STATES}
    numbers["waiting"] += sweep.queue.total("queued")
    states = ", ".join(f"{numbers[state]} {state}" for state in STATES[1:] if numbers[state])
    source = "" if sweep.source is None else f"{sweep.source.summary()}; "
    done = f"{source}{numbers['done']}/{total} jobs done{', ' if states else ''}{states}"
    return f"{done}; {_times(sweep)}; last: {sweep.last_event}{_database(sweep)}"


def _database(sweep: SweepRun) -> str:
    return f"; {said}" if (said := sweep.recorder.complaint) else ""


def _times(sweep: SweepRun) -> str:
    left = seconds_left(sweep)
    return f"elapsed {clock(sweep.meter.elapsed)}, ETA {'?' if left is None else clock(left)}"


def seconds_left(sweep: SweepRun) -> float | None:
    """Estimate the seconds to the sweep's end, from this run's own pace; None while there is nothing to go by."""
    if sweep.source is not None:
        return sweep.source.seconds_left(sweep.meter.elapsed)
    return sweep.meter.seconds_left(sweep.queue.counts(), slots=sweep.slots)
