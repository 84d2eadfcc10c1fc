"""A sweep while it runs: what executors report to, and what the progress display reads."""

import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import NoReturn

from orchestrator.board import Board
from orchestrator.job_source import JobSource
from orchestrator.plan import STAGES
from orchestrator.recorder import Recorder
from orchestrator.store.describe import surface_words
from orchestrator.store.ranks import rank_in_words
from orchestrator.trainable import describe
from workers.attack_settings import KINDS, AttackSettings
from workers.defence_spec import DefenceSpec
from workers.diagnosis_spec import probes
from workers.errors import ArtifactError
from workers.fields import CRAFTED, Stage
from workers.results import BatchRecord, DiagnosisOutcome, FlagsOutcome, Result, SurfaceOutcome, TrainOutcome
from workers.specs import AttackSpec, CraftSpec, DiagnoseSpec, Job, SurfaceSpec, TrainSpec

_KEY_DIGITS = 8
_MOST_SUPERSEDED = 10  # in turns, by the attempts of a second driver: that must end
LIKE: dict[Stage, tuple[Stage, ...]] = {
    "pretrain": ("pretrain", "fine_tune"),
    "fine_tune": ("fine_tune", "pretrain"),
    "defend": ("defend", "evaluate", "attack", "craft"),
    "evaluate": ("evaluate", "attack", "craft"),
    "craft": ("craft", "attack"),
    "attack": ("attack", "craft"),
    "diagnose": ("diagnose", "attack", "craft"),
    "surface": ("surface",),
}
"""Stages whose jobs take about as long by their `cost`, the stage itself first."""


class RunningSweep:
    """Takes jobs off the board, tells the recorder, and keeps the figures that a person wants to see meanwhile."""

    def __init__(
        self, board: Board, recorder: Recorder, jobs: tuple[Job, ...], *, source: JobSource | None = None, known: Iterable[Job] = ()
    ) -> None:
        """Run the `jobs` that the board holds, and those that the `source` brings meanwhile; of all that are `known`, those whose files
        turn out to be damaged are computed again."""
        self.board = board
        self.source = source
        self._known = {job.key: job for job in (*known, *jobs)}
        self._superseded: Counter[str] = Counter()
        self._recorder = recorder
        self.started_at = time.monotonic()
        self.last = "starting"
        self.slots = 1
        self._left: dict[Stage, float] = dict.fromkeys(STAGES, 0.0)
        for job in jobs:
            self._left[job.stage] += cost(job)
        self._spent: dict[Stage, float] = dict.fromkeys(STAGES, 0.0)
        self._seconds: dict[Stage, float] = dict.fromkeys(STAGES, 0.0)
        self._counted: dict[str, float] = {}
        self._reached: dict[str, tuple[float, float]] = {}
        self._furthest: dict[str, float] = {}
        self._running: dict[str, Job] = {}
        self.interrupted = False

    def interrupt(self) -> NoReturn:
        """Stop: raises KeyboardInterrupt, here and, where other people's code has swallowed that, again at the next `take`."""
        self.interrupted = True
        raise KeyboardInterrupt

    def take(self) -> Job | None:
        """The next job for a worker; None while none is ready.

        Raises:
            KeyboardInterrupt: the sweep was interrupted.
        """
        if self.interrupted:
            self.interrupt()
        self._fetch(idle=False)
        job = self.board.take(slots=self.slots)
        if job is None and self._fetch(idle=True):
            job = self.board.take(slots=self.slots)
        return job

    def _fetch(self, *, idle: bool) -> bool:
        """Take what the source brings; whether that is anything."""
        new = self.board.add(self.source.more(idle=idle)) if self.source is not None else []
        self._known.update((job.key, job) for job in new)
        for job in new:
            self._left[job.stage] += cost(job)
        return bool(new)

    @property
    def drained(self) -> bool:
        """Whether no job will ever be handed out again."""
        return self.board.drained and (self.source is None or self.source.drained)

    def begin(self, job: Job) -> None:
        """A worker has started on the job: a new attempt."""
        self.board.begin(job.key)
        self._recorder.started(job)
        self._reached[job.key] = (0.0, time.monotonic())
        self._running[job.key] = job

    def epoch(self, job: Job, *, epoch: int, loss: float, accuracy: float) -> None:
        """A training job has finished an epoch."""
        taken_up = 0 if job.resumes is None else job.resumes.epochs
        self._advance(job, max(0, epoch - taken_up), before=max(0, epoch - taken_up - 1))
        self.last = f"{label(job)}: epoch {epoch}, loss {loss:.3f}, training accuracy {accuracy:.1%}"

    def batch(self, job: Job, record: BatchRecord) -> None:
        """A job has been through some more of its examples."""
        share = cost(job) / record.total
        self._advance(job, record.done * share, before=record.before * share)
        self.last = f"{label(job)}: {record.done:,} of {record.total:,} examples"

    def succeed(self, job: Job) -> None:
        """A worker says that the job is done; without a readable result that is a failure."""
        try:
            result = self._recorder.finished(job)
        except ArtifactError as error:
            self.fail(job, error=describe(error), traceback="")
        else:
            self._note(job, result)

    def _note(self, job: Job, result: Result) -> None:
        """The job is done and its result recorded."""
        self._running.pop(job.key, None)
        whole, (reached, since) = cost(job), self._reached.pop(job.key, (0.0, 0.0))
        self._count(job, whole)
        if reached < whole:
            self._time(job.stage, whole - reached, time.monotonic() - since if reached else result.seconds)
        self.board.succeed(job.key)
        if self.source is not None:
            self.source.succeeded(job)
        self.last = f"{label(job)}: {_summary(result)}"

    def fail(self, job: Job, *, error: str, traceback: str, counted: bool = True, damaged: str | None = None) -> None:
        """An attempt at the job failed; the job is tried again or given up, as the board says. If that was for `damaged` files, of the
        job of that key, the job waits until they are computed again."""
        self._reached.pop(job.key, None)
        self._running.pop(job.key, None)
        if damaged is not None and damaged in job.parents.values() and self._is_recreated(self._known.get(damaged), child=job):
            self._recorder.failed(job, error=error, traceback=traceback, final=False)
            self.last = f"{label(job)}: waits until that is computed again: {error}"
            return
        final = self.board.fail(job.key, counted=counted)
        self._recorder.failed(job, error=error, traceback=traceback, final=final)
        if final and self.source is not None:
            self.source.failed(job)
        self.last = f"{label(job)}: {'failed' if final else 'failed, will be tried again'}: {error}"

    def short_of_memory(self, job: Job, *, error: str, traceback: str, relief: str | None) -> None:
        """An attempt ran out of memory. It counts as a failure only where the next one gets no `relief`."""
        self.fail(job, error=error if relief is None else f"{error}; {relief}", traceback=traceback, counted=relief is None)

    def _is_recreated(self, parent: Job | None, *, child: Job) -> bool:
        """Have a parent computed again, if its files are damaged indeed; whether that is done, or under way."""
        if parent is None:
            return False
        done = self.board.is_done(parent.key)
        if done and not self._recorder.discarded_damage(parent):
            return False
        if not self.board.recreate(parent, child=child.key):
            return False
        if done:
            self._left[parent.stage] += cost(parent)
            self._counted.pop(parent.key, None)
        return True

    def superseded(self, job: Job, *, error: str) -> None:
        """The attempt found that another one has the job: it is done if that one left its result, else it is handed out again."""
        try:
            result = self._recorder.finished(job)
        except ArtifactError:
            self._superseded[job.key] += 1
            if self._superseded[job.key] > _MOST_SUPERSEDED:
                self.fail(job, error=error, traceback="")
                return
            self._reached.pop(job.key, None)
            self._running.pop(job.key, None)
            self._recorder.failed(job, error=error, traceback="", final=False, interrupted=True)
            self.board.postpone(job.key)
        else:
            self._note(job, result)

    def lost(self, job: Job, *, error: str, traceback: str) -> None:
        """The worker ended without a word: the job is done if it left its result, else the attempt failed.

        That is not counted against a job that got further than ever before: long ones outlive any number of machines that are taken away.
        """
        try:
            result = self._recorder.finished(job)
        except ArtifactError:
            self.fail(job, error=error, traceback=traceback, counted=not self._got_on(job))
        else:
            self._recorder.tidy(job)
            self._note(job, result)

    def _got_on(self, job: Job) -> bool:
        reached, _ = self._reached.get(job.key, (0.0, 0.0))
        got_on = reached > self._furthest.get(job.key, 0.0)
        self._furthest[job.key] = max(reached, self._furthest.get(job.key, 0.0))
        return got_on

    def harvest(self) -> None:
        """Record what running jobs finished while the run was being stopped."""
        for job in list(self._running.values()):
            with suppress(ArtifactError):
                self._note(job, self._recorder.finished(job))

    def _advance(self, job: Job, done: float, *, before: float) -> None:
        """The job is at `done` of its cost, of which an earlier attempt had done `before`: that says nothing of how long it takes."""
        reached, since = self._reached[job.key]
        now = time.monotonic()
        self._count(job, done)
        self._time(job.stage, done - max(reached, before), now - since)
        self._reached[job.key] = (done, now)

    def _count(self, job: Job, done: float) -> None:
        """So much of the job's cost is no longer to come; after a failed attempt it may be less than before."""
        self._left[job.stage] -= done - self._counted.get(job.key, 0.0)
        self._counted[job.key] = done

    def _time(self, stage: Stage, units: float, seconds: float) -> None:
        self._spent[stage] += units
        self._seconds[stage] += seconds

    @property
    def database(self) -> str | None:
        """What the database said when it did not take results that wait for it; None while none wait."""
        waiting = self._recorder.unrecorded
        return f"{waiting} results wait for the database: {self._recorder.last_error}" if waiting and self._recorder.failing else None

    @property
    def elapsed(self) -> float:
        """Seconds since the launch."""
        return time.monotonic() - self.started_at

    def estimate(self) -> float | None:
        """Seconds to the end, from this run's own rates; None while a stage that is still to come has nothing to go by."""
        if self.source is not None:
            return self.source.seconds_left(self.elapsed)
        waiting = self.board.counts()
        total = 0.0
        for stage in STAGES:
            jobs = sum(waiting[stage][state] for state in ("waiting", "queued", "running"))
            if not jobs:
                continue
            rate = self._rate(stage)
            if rate is None:
                return None
            total += max(0, self._left[stage]) * rate / min(self.slots, jobs)
        return total

    def _rate(self, stage: Stage) -> float | None:
        return next((self._seconds[like] / self._spent[like] for like in LIKE[stage] if self._spent[like]), None)


def cost(job: Job) -> int:
    """How much work a job is, in units that are comparable within its stage: epochs, passes over the examples, or
    a surface's points."""
    match job.spec:
        case TrainSpec() as spec:
            taken_up = 0 if job.resumes is None else job.resumes.epochs
            return 1 if spec.stage == "defend" else max(0, spec.last_epoch - taken_up)
        case AttackSpec() as spec:
            return spec.evaluation.draws + (0 if spec.knowledge in CRAFTED else _passes(spec.attack))
        case CraftSpec() as spec:
            return max(1, _passes(spec.attack))
        case DiagnoseSpec(diagnosis=settings):
            tried = probes(settings, half_range=1.0, randomised=settings.draws > 1)
            return sum(_passes(probe.attack) + settings.draws for probe in tried)
        case SurfaceSpec() as spec:
            return spec.surface.draws * spec.surface.resolution**2
        case spec:
            return spec.evaluation.draws


def _passes(attack: AttackSettings) -> int:
    """How many forward passes over the examples the attack makes; a gradient is worth three. A single `selection_draws` means a
    deterministic net, on which every point is seen once."""
    kind, draws = KINDS[attack.name], attack.selection_draws
    compared = 1 if draws == 1 else 2 * draws
    sought = 3 * attack.eot_samples if kind.gradient else 0
    judged = compared if kind.selects and (draws > 1 or not kind.gradient) else 0
    steps = attack.steps if kind.gradient or kind.steps else 0
    targets = draws if attack.target == "least_likely" else 0
    return attack.restarts * steps * (sought + judged) + (attack.restarts - 1) * compared + targets


def label(job: Job) -> str:
    """A job in a few words; the model that transferred examples come from by the first digits of its key, as plans list it."""
    match job.spec:
        case TrainSpec() as spec:
            return f"{spec.stage} {_model(spec)}"
        case CraftSpec() as spec:
            return f"craft {_attack(spec.attack)}"
        case AttackSpec() as spec:
            source = f" from {job.parents['source'][:_KEY_DIGITS]}" if "source" in job.parents else ""
            return f"{_attack(spec.attack)} {spec.knowledge}{source}, repeat {spec.repeat}"
        case DiagnoseSpec() as spec:
            return f"diagnosis at {spec.diagnosis.epsilon_literal}"
        case SurfaceSpec(surface=surface):
            return surface_words(surface.model_dump())
        case spec:
            return f"clean accuracy, repeat {spec.repeat}"


def _model(spec: TrainSpec) -> str:
    rank = f"rank={rank_in_words(spec.model.rank_fraction, spec.model.stage_rank_fractions)}" if spec.model.tensorized else "dense"
    adversarial = "" if spec.training.adversarial_training == "none" else f" adversarial={spec.training.adversarial_training}"
    binary = "binary " if spec.model.binary else ""
    defence = "" if spec.defence.name == "none" else " ".join([f" defence={spec.defence.name}", *_given(spec.defence)])
    until = "" if spec.until is None else f" until={spec.until} of {spec.training.epochs}"
    return f"{spec.model.name} {binary}{rank} theta={spec.model.theta:g}{adversarial}{defence} seed={spec.seed}{until}"


def _given(defence: DefenceSpec) -> list[str]:
    """The defence's settings that are not the default."""
    return [f"{name}={value:g}" for name, value in defence.settings.items() if value != DefenceSpec.model_fields[name].default]


def _attack(settings: AttackSettings) -> str:
    norm = "" if settings.norm == "linf" else f" {settings.norm}"
    target = "" if settings.target == "none" else f" target={settings.target}"
    sign = "" if settings.sign_gradient == "identity" else f" sign={settings.sign_gradient}"
    return f"{settings.name}{norm} {settings.epsilon_literal}{target}{sign}"


def _summary(result: Result) -> str:
    match result.outcome:
        case TrainOutcome(history=[]):
            return "defence put around"
        case TrainOutcome() as outcome:
            return f"trained, training accuracy {outcome.history[-1].accuracy:.1%}"
        case FlagsOutcome() as outcome:
            return f"accuracy {outcome.accuracy:.1%}"
        case DiagnosisOutcome() as outcome:
            return f"{len(outcome.probes)} attacks compared on {outcome.n_examples} examples"
        case SurfaceOutcome() as outcome:
            return f"loss {outcome.least_loss:.3g} to {outcome.greatest_loss:.3g}"
        case outcome:
            return f"{outcome.n_examples} examples made"
