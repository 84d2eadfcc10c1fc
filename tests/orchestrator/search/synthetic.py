"""Searches whose jobs are not run: their results follow from their specs, so that a whole study takes a moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from orchestrator.driver.recorder import Recorder
from orchestrator.driver.scheduling.job_queue import JobQueue
from orchestrator.driver.sweep_run import SweepRun
from orchestrator.search.open_search import open_search
from orchestrator.search.search import Search
from orchestrator.store import Store, end_driving, open_store
from orchestrator.store.writing.record import record_search
from search_spaces import Space, parse_space
from tests.builders import flags_result, result_of
from tests.stored import begin_driving
from workers.artifacts.artifacts import Artifacts
from workers.artifacts.outcomes import Result
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec, EvaluateSpec, TrainSpec

EXAMPLES = 40
THETA: dict[str, Any] = {"min": 0.6, "max": 1.0, "step": 0.1}
PGD: dict[str, Any] = {"attack": "pgd", "epsilon": "8/255", "steps": 2}
ROBUST: dict[str, Any] = {"metric": "robust_accuracy", "attack": "pgd", "epsilon": "8/255"}


def space_text(*, model: dict[str, Any] | None = None, **search: Any) -> str:
    """A small space over theta and rank, with these settings of its section `search`."""
    data = {
        "method": "optuna",
        "search": {"n_trials": 6, "n_parallel": 1, "parents": False, "objectives": ["clean_accuracy", ROBUST], **search},
        "data": {"name": "digits", "train_examples": 64, "validation_examples": 0},
        "model": {"width": 2, "theta": {"min": 0.6, "max": 1.0}, "rank_fraction": {"min": 0.2, "max": 1.0}, **(model or {})},
        "training": {"epochs": 2, "batch_size": 32},
        "evaluation": {"examples": EXAMPLES, "batch_size": EXAMPLES, "repeats": 2},
        "attacks": [PGD],
    }
    return yaml.safe_dump(data, sort_keys=False)


def searched(text: str, *, name: str = "small") -> Space:
    return parse_space(text, label=name, stem=name)


def right(spec: TrainSpec, *, attacked: bool) -> float:
    """How much of a model is right: theta costs clean accuracy and helps under attack, rank helps both a little."""
    theta, rank = spec.model.theta, spec.model.rank_fraction
    share = 0.9 - 1.2 * (0.9 - theta) ** 2 - (1 - rank) * 0.1 if not attacked else 0.2 + 0.9 * (1 - theta) + 0.1 * rank
    return min(1.0, max(0.0, share))


def never(job: Job) -> bool:
    return False


@dataclass
class Laboratory:
    """Where results come from: each job's by its spec, except those that `fails` says fail for good; `ran` are the jobs that were run."""

    folder: Path
    url: str
    fails: Callable[[Job], bool] = never
    share: Callable[..., float] = right
    models: dict[str, TrainSpec] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    @property
    def artifacts(self) -> Artifacts:
        return Artifacts(self.folder / "artifacts")

    def result(self, job: Job) -> Result:
        if isinstance(job.spec, TrainSpec):
            self.models[job.key] = job.spec
        if not isinstance(job.spec, EvaluateSpec | AttackSpec):
            return result_of(job)
        share = self.share(self.models[job.parents["model"]], attacked=isinstance(job.spec, AttackSpec))
        flags = np.arange(job.spec.evaluation.examples or EXAMPLES) < round(share * EXAMPLES)
        return flags_result(job, np.tile(flags, (job.spec.evaluation.draws, 1)))

    @contextmanager
    def open(self, space: Space) -> Iterator[tuple[Store, Search, SweepRun]]:
        """A launch of the space, up to the first job."""
        with open_store(self.url, upgrade=True) as store:
            recorder = Recorder(store, sweep=space.name, artifacts=self.artifacts)
            with open_search(store, space, recorder=recorder, artifacts=self.artifacts) as search:
                record_search(store, name=space.name, space_text="", keys=search.job_keys)
                lease = begin_driving(store, space.name, "host", 1)
                yield store, search, SweepRun(JobQueue([], max_failures=0), recorder, (), source=search)
                end_driving(store, lease)

    def launch(self, space: Space) -> Search:
        """Run the search to its end."""
        with self.open(space) as (_, search, sweep):
            while not sweep.drained:
                if (job := sweep.take()) is not None:
                    self.run(job, sweep)
            return search

    def run(self, job: Job, sweep: SweepRun) -> None:
        sweep.begin(job)
        if isinstance(job.spec, TrainSpec):
            self.models[job.key] = job.spec
        if self.fails(job):
            sweep.fail(job, error="JobError: boom", traceback="")
            return
        self.ran.append(job.key)
        folder = self.artifacts.folder(job.key)
        folder.begin(job)
        folder.commit(self.result(job))
        sweep.succeed(job)
