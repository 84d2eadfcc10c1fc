"""How far a sweep is, what failed, and what a plan holds, as text for the terminal."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.driver.job_names import label
from orchestrator.escaping import visible
from orchestrator.planning.plan import STAGES, Plan
from orchestrator.store import Failure, SweepStatus
from orchestrator.store.leases.leases import age, moment
from orchestrator.store.reading.study_trials import StudyCounts
from orchestrator.tables.terminal_table import plain_table
from workers.spec.job import Job, TrainSpec

_STATES = ("done", "running", "waiting", "failed", "blocked")
_MOST_MODELS = 40


def render_status(statuses: Sequence[SweepStatus]) -> RenderableType:
    """One table per sweep: its stages by state, and who runs it."""
    return Group(*(part for status in statuses for part in (_headline(status), _status_table(status), Text(""))))


def _headline(status: SweepStatus) -> Text:
    return Text(visible(f"sweep {status.name}: {_driver(status)}"), style="bold")


def _status_table(status: SweepStatus) -> Table:
    table = plain_table()
    table.add_column("stage")
    for state in _STATES:
        table.add_column(state, justify="right")
    for stage, counts in status.stages.items():
        table.add_row(stage, *(str(getattr(counts, state)) for state in _STATES))
    return table


def _driver(status: SweepStatus) -> str:
    trials = "" if status.trials is None else f"; {trials_line(status.trials)}"
    if status.driver_alive:
        beat = f"last heartbeat {age(timedelta(seconds=status.silent_seconds or 0.0))} ago"
        return f"running on {status.driver_host}, process {status.driver_pid}, since {moment(status.launched_at)} ({beat}){trials}"
    left = sum(counts.total - counts.done for counts in status.stages.values())
    if status.trials is not None and status.trials.left:
        return f"not running{trials}{_dead(status)}"
    return (f"finished{trials}" if left == 0 else f"not running, {left} jobs left{trials}") + _dead(status)


def _dead(status: SweepStatus) -> str:
    """That the driver has not left but died."""
    if status.silent_seconds is None:
        return ""
    return f"; its driver died (process {status.driver_pid} on {status.driver_host}, last heartbeat {moment(status.heartbeat_at)})"


def trials_line(trials: StudyCounts) -> str:
    """A search's trials in a few words; Optuna's states add up to more than were asked for where some were nothing new."""
    states = ", ".join(f"{number} {state}" for state, number in sorted(trials.states.items()))
    return f"{trials.begun} of {trials.n_trials} trials begun" + (f" ({states})" if states else "")


def render_failures(failures: Sequence[Failure]) -> RenderableType:
    """Each failed job with its error and traceback."""
    if not failures:
        return Text("no job has failed")
    parts: list[RenderableType] = []
    for failure in failures:
        parts.append(Text(visible(f"{failure.stage} {failure.description}, job {failure.key}"), style="bold"))
        parts.append(Text(visible(f"failed {failure.attempts} times; the last time: {failure.error}", keep="\n\t"), style="red"))
        traceback = failure.traceback.rstrip() or "(no traceback: the worker process died)"
        parts += [Text(visible(traceback, keep="\n\t"), style="dim"), Text("")]
    return Group(*parts)


def render_plan(name: str, plan: Plan, *, every_job: bool) -> RenderableType:
    """A plan's jobs by stage and by model, or each by itself."""
    parts: list[RenderableType] = [_plan_table(name, plan), Text("")]
    parts.append(_job_table(plan) if every_job else _model_table(plan))
    return Group(*parts)


def _plan_table(name: str, plan: Plan) -> Table:
    table = plain_table(title=Text(visible(f"sweep {name}: {len(plan.jobs)} jobs"), style="bold"), show_footer=True)
    done = len(plan.jobs) - len(plan.pending)
    table.add_column("stage", footer="all")
    for title, total in (("jobs", len(plan.jobs)), ("done", done), ("to run", len(plan.pending))):
        table.add_column(title, justify="right", footer=str(total))
    for stage in STAGES:
        if total := plan.total(stage):
            table.add_row(stage, str(total), str(plan.done(stage)), str(total - plan.done(stage)))
    return table


def _state(job: Job, plan: Plan) -> str:
    if job.key in plan.recreated:
        return "done, files gone: again"
    return "to run" if job.key in plan.pending else "done"


def _model_table(plan: Plan) -> Table:
    models = [job for job in plan.jobs if isinstance(job.spec, TrainSpec)]
    measured = {job.key: [0, 0] for job in models}
    for job in plan.jobs:
        if (model := job.parents.get("model")) is not None:
            measured[model][0] += job.key not in plan.pending
            measured[model][1] += 1
    caption = f"and {len(models) - _MOST_MODELS} more: --jobs lists all" if len(models) > _MOST_MODELS else None
    table = plain_table(caption=caption, caption_justify="left")
    table.add_column("model")
    for title in ("key", "training"):
        table.add_column(title, no_wrap=True)
    table.add_column("measured", justify="right", no_wrap=True)
    for job in models[:_MOST_MODELS]:
        done, total = measured[job.key]
        table.add_row(label(job), job.key[:8], _state(job, plan), f"{done} of {total}")
    return table


def _job_table(plan: Plan) -> Table:
    table = plain_table()
    for title in ("key", "stage", "job", "state"):
        table.add_column(title)
    for job in plan.jobs:
        table.add_row(job.key[:8], job.stage, label(job), _state(job, plan))
    return table


def plan_json(name: str, plan: Plan, **also: Any) -> str:
    """The plan for programs: counts by stage, every job with its state, and what else there is."""
    stages = {stage: {"jobs": plan.total(stage), "done": plan.done(stage)} for stage in STAGES if plan.total(stage)}
    return json.dumps({"sweep": name, "stages": stages, **also, "jobs": list(_job_records(plan))}, indent=1)


def _job_records(plan: Plan) -> Iterable[dict[str, Any]]:
    for job in plan.jobs:
        yield {"key": job.key, "stage": job.stage, "state": _state(job, plan), "job": label(job), "parents": job.parents}


def status_json(statuses: Sequence[SweepStatus], failures: Sequence[Failure]) -> str:
    """The status for programs, times in ISO 8601."""
    sweeps = [asdict(status) for status in statuses]
    return json.dumps(
        {"sweeps": sweeps, "failures": [asdict(failure) for failure in failures]}, indent=1, default=lambda time: time.isoformat()
    )
