"""Page of a sweep's progress: jobs by stage, pace, time to the end, running jobs, workers, failures. It refreshes itself."""

import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st

from orchestrator.dashboard.context import at, opened
from orchestrator.dashboard.elements import TILE, choose_sweep, draw, frame, show_table
from orchestrator.dashboard.machine import Machine, gpus, look
from orchestrator.dashboard.pace import pace_figure
from orchestrator.driver.scheduling.time_left import WINDOW, TimeLeft, busy_workers, per_minute, time_of_status
from orchestrator.naming.names import counted
from orchestrator.store import Failure, Store, SweepStatus, failures, sweep_status
from orchestrator.store.leases.leases import age
from orchestrator.store.reading.dashboard_queries import (
    FinishedJob,
    MachinePlace,
    RunningJob,
    finished_jobs,
    mean_seconds,
    places_of,
    running_jobs,
)
from orchestrator.store.reading.values import STATES
from orchestrator.store.schema.base import utc_now
from orchestrator.tables.status_table import trials_line
from orchestrator.terminal.console import clock
from workers.spec.fields import Stage

_REFRESH, _REFRESH_IDLE = 3.0, 20.0
_MOST_PLACED = 1000


@dataclass(frozen=True, kw_only=True)
class WatchedSweep:
    """State of a sweep at one moment; `finished` are the jobs since the launch, `recent` those in the `WINDOW` up to `until`."""

    status: SweepStatus
    running: list[RunningJob]
    finished: list[FinishedJob]
    recent: list[FinishedJob]
    places: dict[str, MachinePlace]
    failed: list[Failure]
    left: TimeLeft
    since: datetime
    until: datetime


def page() -> None:
    """Show the progress, refreshed every few seconds while a driver runs, rarely otherwise: the sweep may be launched again."""
    sweep = choose_sweep()
    st.fragment(_live, run_every=_REFRESH if sweep.driver_alive else _REFRESH_IDLE)(sweep.name)


def _live(sweep: str) -> None:
    with opened() as store:
        watched = watch(store, sweep)
    _headline(watched)
    _stages(watched.status)
    if watched.finished:
        st.subheader("Pace")
        draw(pace_figure(watched.finished), key="pace")
    _now(watched)
    st.subheader("Workers and GPUs")
    _places(watched)
    _this_machine(watched.status)
    _failures(watched.failed)


def watch(store: Store, sweep: str) -> WatchedSweep:
    """Read the state that the page shows.

    Raises:
        UserError: no such sweep.
    """
    now = utc_now()
    (status,) = sweep_status(store, sweep)
    running, finished = running_jobs(store, sweep), finished_jobs(store, sweep)
    mine = [job for job in finished if status.launched_at is None or job.finished_at >= status.launched_at]
    until = now if status.driver_alive else max((job.finished_at for job in finished), default=now)
    since = max(until - WINDOW, min(status.launched_at or until, until - timedelta(seconds=1)))
    recent = [job for job in finished if since <= job.finished_at]
    return WatchedSweep(
        status=status,
        running=running,
        finished=mine or finished,
        recent=recent,
        places=places_of(store, [job.key for job in recent[:_MOST_PLACED]]),
        failed=failures(store, sweep),
        left=time_of_status(status, running, _seconds(store, status, finished, mine), now=now),
        since=since,
        until=until,
    )


def _seconds(store: Store, status: SweepStatus, finished: list[FinishedJob], mine: list[FinishedJob]) -> dict[Stage, float]:
    """Return the mean seconds of a job of each stage: of jobs since the launch if there are any, since an earlier space may have had other
    settings."""
    seconds = mean_seconds(finished) | mean_seconds(mine)
    for stage, counts in status.stages.items():
        if stage not in seconds and (counts.waiting or counts.running):
            seconds |= mean_seconds(finished_jobs(store, status.name, stage=stage))
    return seconds


def _headline(watched: WatchedSweep) -> None:
    counts = watched.status.totals
    total = sum(counts.values())
    st.text(_who(watched.status))
    st.progress(counts["done"] / total if total else 0.0)
    with st.container(horizontal=True):
        st.metric(f"Done, of {total:,}", f"{counts['done']:,}", border=True, width=TILE)
        st.metric("Running", str(counts["running"]), border=True, width=TILE)
        st.metric("Failed", str(counts["failed"]), border=True, width=TILE, help="Given up; the jobs after them are blocked.")
        pace = per_minute(watched.recent, since=watched.since, until=watched.until)
        when = "in the last 10 minutes" if watched.status.driver_alive else "in the sweep's last 10 minutes"
        st.metric("Jobs a minute", f"{pace:.1f}", border=True, width=TILE, help=f"Finished by this sweep {when}.")
        of_trials = " of begun trials" if watched.status.trials is not None else ""
        st.metric(f"ETA{of_trials}", _end(watched), border=True, width=TILE, help=_basis(watched.left))
    if watched.left.seconds is not None:
        end = at(watched.until + timedelta(seconds=watched.left.seconds))
        st.caption(f"Estimated end{of_trials}: {end}. Last update: {_second(watched.until)}.")


def _who(status: SweepStatus) -> str:
    trials = "" if status.trials is None else f" {trials_line(status.trials)}."
    if status.driver_alive:
        beat = age(timedelta(seconds=status.silent_seconds or 0.0))
        since = f"since {at(status.launched_at)} (last heartbeat {beat} ago)"
        return f"Running on {status.driver_host}, process {status.driver_pid}, {since}.{trials}"
    died = "" if status.silent_seconds is None else f" Its driver, process {status.driver_pid} on {status.driver_host}, died."
    jobs = f", {counted(status.jobs_left, 'job')} left" if status.jobs_left else ""
    return f"{'Finished' if status.is_finished else f'Not running{jobs}'}.{died}{trials} Last launched: {at(status.launched_at)}."


def _end(watched: WatchedSweep) -> str:
    if watched.left.seconds is not None:
        return clock(watched.left.seconds)
    return "?" if watched.status.driver_alive else "-"


def _basis(left: TimeLeft) -> str:
    if left.unknown:
        return f"Not known yet: no job like {', '.join(left.unknown)} is done."
    return "From the mean seconds of this sweep's last jobs of each stage, with as many workers as are busy now."


def _second(time: datetime) -> str:
    return f"{at(time)}:{time:%S}"


def _stages(status: SweepStatus) -> None:
    rows = [
        {"stage": stage, "progress": 100 * counts.done / counts.total, **{state: getattr(counts, state) for state in STATES}}
        for stage, counts in status.stages.items()
    ]
    bar = st.column_config.ProgressColumn("done", format="%d%%", min_value=0, max_value=100, width="small")
    st.dataframe(frame(rows), hide_index=True, height="content", column_config={"progress": bar, "done": "jobs done"})


def _now(watched: WatchedSweep) -> None:
    if not watched.running:
        return
    st.subheader("Running now")
    now = utc_now()
    show_table(
        [
            {"for": clock((now - job.started_at).total_seconds()), "stage": job.stage, "job": job.description, "attempt": job.attempt}
            for job in watched.running
        ]
    )


def _places(watched: WatchedSweep) -> None:
    by_place: dict[MachinePlace, list[FinishedJob]] = {}
    for job in watched.recent[:_MOST_PLACED]:
        if job.key in watched.places:
            by_place.setdefault(watched.places[job.key], []).append(job)
    if not by_place:
        st.caption("No job of this sweep has finished lately: the database does not know where its workers are.")
        return
    minutes = max(1, round((watched.until - watched.since).total_seconds() / 60))
    span = "minute" if minutes == 1 else f"{minutes} minutes"
    st.caption(f"Where jobs finished in the last {span}{'' if watched.status.driver_alive else ' of the sweep'}:")
    show_table(
        [
            {
                "host": place.host,
                "device": place.device,
                "threads a job": place.threads,
                "jobs": len(jobs),
                "workers busy": round(busy_workers(jobs, since=watched.since, until=watched.until), 2),
            }
            for place, jobs in sorted(by_place.items(), key=lambda item: -len(item[1]))
        ]
    )


def _this_machine(status: SweepStatus) -> None:
    if not status.driver_alive:
        st.caption("Processors and GPUs are shown while the sweep runs.")
        return
    if status.driver_host != socket.gethostname():
        st.caption("The driver runs on another machine: how busy its processors and GPUs are cannot be seen from here.")
        return
    machine = look(status.driver_pid, status.launched_at)
    with st.container(horizontal=True):
        st.metric("Processors", f"{machine.cpu:.0f} %", border=True, width=TILE, help=f"Of all {machine.cores} cores of this machine.")
        st.metric("Memory", f"{machine.memory_used:.1f} GiB", border=True, width=TILE, help=f"Of {machine.memory_total:.1f} GiB.")
    _processes(machine)
    _gpus()
    st.caption("This machine only. Other nodes of a Ray cluster cannot be seen from here; Ray's own dashboard shows them.")


def _processes(machine: Machine) -> None:
    if not machine.workers:
        return
    with st.expander(f"Processes of the driver: {len(machine.workers)}"):
        show_table(
            [
                {"process": worker.pid, "name": worker.name, "CPU %": round(worker.cpu), "GiB": round(worker.memory, 2)}
                for worker in machine.workers
            ]
        )


def _gpus() -> None:
    found = gpus()
    if not found:
        st.caption("No NVIDIA GPU is seen on this machine.")
        return
    show_table(
        [{"GPU": gpu.index, "name": gpu.name, "use %": gpu.use, "GiB used": gpu.memory_used, "GiB": gpu.memory_total} for gpu in found]
    )


def _failures(failed: list[Failure]) -> None:
    st.subheader("Failures")
    if not failed:
        st.caption("No job of the space has failed for good.")
        return
    show_table([{"stage": f.stage, "job": f.description, "attempts": f.attempts, "error": f.error, "key": f.key[:8]} for f in failed])
    place = st.selectbox(
        "Traceback of", range(len(failed)), format_func=lambda place: f"{failed[place].description} ({failed[place].key[:8]})"
    )
    if place is not None and place < len(failed):
        st.code(failed[place].traceback.rstrip() or "(no traceback: the worker process died)", language=None, wrap_lines=True)
