"""Estimate of a plan's duration from the measured rates of similar jobs, in the order in which the driver hands jobs out; as
text and as a record too."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from orchestrator.driver.scheduling.critical_path import CriticalPathQueue
from orchestrator.naming.names import counted
from orchestrator.planning.job_cost import SIMILAR_STAGES, cost, effort
from orchestrator.planning.plan import Plan
from orchestrator.store.reading.timings import Timing
from orchestrator.terminal.console import clock
from workers.data.loading import remote, source
from workers.data.loading.remote import DataRoot
from workers.spec.component import DataSpec
from workers.spec.fields import Stage
from workers.spec.job import Job
from workers.spec.stage_specs import DiagnoseSpec, JobSpec, SurfaceSpec, TrainSpec

_UNKNOWN_EXAMPLES = 10_000
JobClass = tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class TimeEstimate:
    """Duration of a plan: `work` is the seconds of all jobs one after the other, `wall` those to the end with `workers` at once.

    `by_stage` has each stage's seconds of work. `unknown` counts the jobs without similar finished ones: they are estimated to take no
    time. `timed` is the number of finished jobs that the rates are from, `device` where these ran; None where there are none.
    """

    work: float
    wall: float
    workers: int
    by_stage: Mapping[Stage, float]
    unknown: Mapping[Stage, int]
    timed: int
    device: str | None


def estimate(plan: Plan, timings: Iterable[Timing], *, workers: int, root: DataRoot = None, device: str | None = None) -> TimeEstimate:
    """Estimate how long the plan's jobs to run will take.

    Args:
        plan: what is done and what is to run.
        timings: finished jobs, the newest first.
        workers: number of jobs that run at once.
        root: where the data sets are; the sizes of some are in their files.
        device: `cpu` or `cuda`; None for the device of the newest job.
    """
    timings = list(timings)
    device = device or (timings[0].device if timings else None)
    like = [timing for timing in timings if timing.device == device]
    rates = Rates(like, root)
    models = {job.key: job.spec for job in plan.jobs if isinstance(job.spec, TrainSpec)}
    seconds = {job.key: rates.seconds(job.spec, models[job.parents.get("model", job.key)]) for job in plan.to_run}
    by_stage: dict[Stage, float] = {}
    for job in plan.to_run:
        if (took := seconds[job.key]) is not None:
            by_stage[job.stage] = by_stage.get(job.stage, 0.0) + took
    return TimeEstimate(
        work=sum(by_stage.values()),
        wall=_wall(plan.to_run, {key: took or 0.0 for key, took in seconds.items()}, workers=workers),
        workers=workers,
        by_stage=by_stage,
        unknown=Counter(job.stage for job in plan.to_run if seconds[job.key] is None),
        timed=len(like),
        device=device,
    )


class Rates:
    """Seconds per unit of work, from the most similar jobs: the same stage, data and network in the same form first."""

    def __init__(self, timings: Iterable[Timing], root: DataRoot) -> None:
        self._root = root
        self._sizes: dict[DataSpec, tuple[int, int]] = {}
        self._seconds: defaultdict[JobClass, float] = defaultdict(float)
        self._units: defaultdict[JobClass, float] = defaultdict(float)
        for timing in timings:
            units = self._work(timing.spec, timing.model)
            for alike in _classes(timing.spec.stage, timing.model):
                self._seconds[alike] += timing.seconds
                self._units[alike] += units

    def seconds(self, spec: JobSpec, model: TrainSpec) -> float | None:
        """Return how long a job will take; None where no finished one is similar."""
        classes = [list(_classes(stage, model)) for stage in SIMILAR_STAGES[spec.stage]]
        for equally_alike in zip(*classes, strict=True):
            for alike in equally_alike:
                if self._units.get(alike):
                    return self._work(spec, model) * self._seconds[alike] / self._units[alike]
        return None

    def _work(self, spec: JobSpec, model: TrainSpec) -> float:
        """Return the units of work: passes over the examples times their number, or the points of a surface."""
        train, test = self._examples(model.data)
        match spec:
            case TrainSpec():
                examples = model.data.train_examples or train
            case SurfaceSpec():
                examples = 1
            case DiagnoseSpec():
                examples = spec.diagnosis.examples
            case _:
                examples = spec.evaluation.examples or test
        return float(cost(Job(spec=spec)) * examples)

    def _examples(self, data: DataSpec) -> tuple[int, int]:
        """Return the sizes of the splits; where they depend on files that are not available, the same default is assumed for all."""
        if data not in self._sizes:
            train, test = remote.sizes(source(data), self._root)
            self._sizes[data] = (train or _UNKNOWN_EXAMPLES, test or _UNKNOWN_EXAMPLES)
        return self._sizes[data]


def _classes(stage: Stage, model: TrainSpec) -> Iterator[JobClass]:
    """Yield the classes of similar jobs for a stage and a model, the most similar first."""
    network, data = model.model, model.data.name
    adversarial = model.training.adversarial_training if stage in ("pretrain", "fine_tune") else "none"
    form = (network.settings, network.tensorized, network.rank_fraction, network.binary)
    yield stage, data, network.name, adversarial, *form
    yield stage, data, network.name, adversarial, network.settings
    yield stage, data, network.name, adversarial
    yield stage, data, network.name


def _wall(jobs: tuple[Job, ...], seconds: Mapping[str, float], *, workers: int) -> float:
    """Return the end of the last job if the driver's own order is followed and nothing fails."""
    queue = CriticalPathQueue(jobs, max_failures=0, effort=effort)
    running: list[tuple[float, str]] = []
    now = 0.0
    while True:
        while len(running) < workers and (job := queue.take(slots=workers)) is not None:
            queue.begin(job.key)
            heapq.heappush(running, (now + seconds[job.key], job.key))
        if not running:
            return now
        now, key = heapq.heappop(running)
        queue.succeed(key)


def render_estimate(found: TimeEstimate, *, price: float | None) -> RenderableType:
    """Return the estimate as text; `price` is that of one worker for an hour."""
    if found.device is None:
        return Text("\nestimate: none, since the database holds no finished job; a small sweep of the same networks gives the rates")
    workers = counted(found.workers, "worker")
    lines = [
        f"\nestimate: {clock(found.wall)} with {workers}, {clock(found.work)} of work, by {found.timed:,} jobs timed on {found.device}"
    ]
    if found.by_stage:
        lines.append("  " + ", ".join(f"{stage} {clock(seconds)}" for stage, seconds in found.by_stage.items()))
    if price is not None:
        lines.append(f"  cost: {cost_of(found, price=price):,.2f} at {price:g} an hour for each worker, paid to the end of the last job")
    if found.unknown:
        named = ", ".join(f"{number} {stage}" for stage, number in found.unknown.items())
        lines.append(f"  not counted, since no finished job is like them: {named}")
    return Text("\n".join(lines))


def cost_of(found: TimeEstimate, *, price: float) -> float:
    """Return the cost of the workers until the last job is done, `price` an hour each."""
    return found.wall * found.workers * price / 3600


def estimate_record(found: TimeEstimate, *, price: float | None) -> dict[str, Any]:
    """Return the estimate for programs, in seconds."""
    record: dict[str, Any] = {
        "wall_seconds": found.wall,
        "work_seconds": found.work,
        "workers": found.workers,
        "by_stage": dict(found.by_stage),
        "not_counted": dict(found.unknown),
        "timed_jobs": found.timed,
        "device": found.device,
    }
    return record if price is None else {**record, "cost": cost_of(found, price=price)}
