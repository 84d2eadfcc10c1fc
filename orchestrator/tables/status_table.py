"""Progress of a sweep, and its failures, for people and for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.naming.names import counted
from orchestrator.store import Failure, SweepStatus
from orchestrator.store.leases.leases import age, moment
from orchestrator.store.reading.study_trials import StudyCounts
from orchestrator.store.reading.values import STATES
from orchestrator.tables.table import Column, Table
from orchestrator.tables.writers import Format, render
from orchestrator.terminal.console import shell_command
from orchestrator.terminal.escaping import json_text, visible

_COLUMNS = (Column("sweep", only="programs"), Column("stage"), *(Column(state, "number") for state in STATES))


def render_status(statuses: Sequence[SweepStatus], form: Format = "table") -> str | RenderableType:
    """One table per sweep: its stages by state, and who runs it; as CSV one table of all."""
    if form == "csv":
        return render(Table(columns=_COLUMNS, rows=tuple(row for status in statuses for row in _rows(status))), form)
    return render([stage_table(status, title=f"sweep {status.name}: {_driver(status)}") for status in statuses], form, title="Sweeps")


def launched_by(status: SweepStatus) -> str | None:
    """The command that launched the space as it is now, to paste into a shell; where an older version did, its `--set`."""
    if status.command is None and not status.overrides:
        return None
    words = [word for override in status.overrides for word in ("--set", override)]
    return f"sweep {status.name} was launched by: {status.command or f'robustsweep launch ... {shell_command(words)}'}"


def stage_table(status: SweepStatus, *, title: str = "") -> Table:
    """The jobs of a sweep's space by stage and state."""
    return Table(title=title, columns=_COLUMNS, rows=_rows(status), empty="no jobs yet").seen_by("people")


def _rows(status: SweepStatus) -> tuple[tuple[str | int, ...], ...]:
    return tuple((status.name, stage, *(getattr(counts, state) for state in STATES)) for stage, counts in status.stages.items())


def render_failures(failures: Sequence[Failure], form: Format = "table") -> str | RenderableType:
    """Each failed job with its error and, but for tables in a document, its traceback."""
    if form != "table":
        return render(_failure_table(failures, traceback=form == "csv"), form)
    if not failures:
        return Text("no job has failed")
    parts: list[RenderableType] = []
    for failure in failures:
        parts.append(Text(visible(f"{failure.stage} {failure.description}, job {failure.key}"), style="bold"))
        parts.append(Text(visible(f"failed {failure.attempts} times; the last time: {failure.error}", keep="\n\t"), style="red"))
        traceback = failure.traceback.rstrip() or "(no traceback: the worker process died)"
        parts += [Text(visible(traceback, keep="\n\t"), style="dim"), Text("")]
    return Group(*parts)


def _failure_table(failures: Sequence[Failure], *, traceback: bool) -> Table:
    names = ("stage", "description", "key", "attempts", "error", *(("traceback",) if traceback else ()))
    return Table(
        columns=tuple(Column(name, "number" if name == "attempts" else "text", "job" if name == "description" else None) for name in names),
        rows=tuple(tuple(getattr(failure, name) for name in names) for failure in failures),
        empty="no job has failed",
    )


def _driver(status: SweepStatus) -> str:
    trials = "" if status.trials is None else f"; {trials_line(status.trials)}"
    if status.driver_alive:
        beat = f"last heartbeat {age(timedelta(seconds=status.silent_seconds or 0.0))} ago"
        return f"running on {status.driver_host}, process {status.driver_pid}, since {moment(status.launched_at)} ({beat}){trials}"
    jobs = f", {counted(status.jobs_left, 'job')} left" if status.jobs_left else ""
    return f"{'finished' if status.is_finished else f'not running{jobs}'}{trials}{_dead(status)}"


def _dead(status: SweepStatus) -> str:
    """Say that the driver died, where it has."""
    if status.silent_seconds is None:
        return ""
    return f"; its driver died (process {status.driver_pid} on {status.driver_host}, last heartbeat {moment(status.heartbeat_at)})"


def trials_line(trials: StudyCounts) -> str:
    """A search's trials in a few words; Optuna's states add up to more than were asked for where some were nothing new."""
    states = ", ".join(f"{number} {state}" for state, number in sorted(trials.states.items()))
    return f"{trials.begun} of {trials.n_trials} trials begun" + (f" ({states})" if states else "")


def status_json(statuses: Sequence[SweepStatus], failures: Sequence[Failure]) -> str:
    """The status for programs, times in ISO 8601."""
    sweeps = [asdict(status) for status in statuses]
    return json_text(
        {"sweeps": sweeps, "failures": [asdict(failure) for failure in failures]}, indent=1, default=lambda time: time.isoformat()
    )
