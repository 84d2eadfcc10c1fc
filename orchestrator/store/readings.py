"""Values that the reads of `reading.py` return: frozen, independent of the database."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRun:
    """Training of a model: one entry of `history` for each epoch, as `EpochRecord`; none where only a defence was put around it."""

    sweep: str
    model_key: str
    stage: str
    dataset: str
    model: str
    width: int
    theta: float
    rank_fraction: float | None
    adversarial_training: str
    defence: str
    seed: int
    history: tuple[Mapping[str, float], ...]
    seconds: float
    stage_rank_fractions: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobCosts:
    """Seconds of each job of a sweep by its key, and the jobs whose work it continues (weights, crafted examples)."""

    seconds: Mapping[str, float]
    parents: Mapping[str, tuple[str, ...]]
    models: frozenset[str]

    def training(self, model_key: str) -> float | None:
        """Return the seconds of the model's training, all its ancestors included; None where the store lacks one of them."""
        return self._sum([model_key], frozenset())

    def measuring(self, job_keys: Iterable[str]) -> float | None:
        """Return the total seconds of evaluations or attacks, with the examples crafted for them (once), without the training."""
        return self._sum(job_keys, self.models)

    def _sum(self, keys: Iterable[str], left_out: frozenset[str]) -> float | None:
        found: set[str] = set()
        frontier = set(keys)
        while frontier:
            found |= frontier
            frontier = {parent for key in frontier for parent in self.parents.get(key, ())} - found - left_out
        took = [self.seconds.get(key) for key in found]
        return None if None in took else round(sum(seconds for seconds in took if seconds is not None), 3)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExampleScores:
    """Counts of right classifications of each of the same examples, by all models of a sweep under attacks of one knowledge.

    `right` (examples,) counts the evaluations that were right, of `evaluations`: models x attacks x repeats x draws.
    """

    dataset: str
    n_examples: int
    knowledge: str
    right: NDArray[np.int64]
    evaluations: int


@dataclass(frozen=True, kw_only=True, slots=True)
class UsedEnvironment:
    """Environment in which `jobs` of a sweep ran, with the first and the last time that one finished."""

    host: str
    device: str
    threads: int
    git_revision: str | None
    versions: Mapping[str, str]
    jobs: int
    first_finished_at: datetime
    last_finished_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Origin of a sweep's results: its space as it was launched last, and the environments of its jobs."""

    sweep: str
    space: str
    created_at: datetime
    launched_at: datetime | None
    environments: tuple[UsedEnvironment, ...]
