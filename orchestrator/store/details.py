"""Details of one job, as `jobs.py` reads them: frozen values, independent of the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from workers.fields import Stage

JobState = Literal["done", "running", "waiting", "failed", "blocked"]
"""States of a job, as `StageCounts` counts them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Relative:
    """Parent or child of a job; `role` is the parent's part in the child."""

    key: str
    role: str
    stage: Stage
    description: str
    state: JobState


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Sweep that holds a job; not `in_space` where its space no longer contains it."""

    sweep: str
    in_space: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One execution of a job; `sweep` is the one that asked for it, None where none did, `error` one line."""

    number: int
    sweep: str | None
    started_at: datetime
    finished_at: datetime | None
    outcome: str
    error: str | None
    traceback: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedResult:
    """Result of a finished job in the database, with the environment and the seconds in which it was computed.

    `values` are what its stage measures, under the names of the columns; per-example flags are there as `accuracy` with its 95 %
    interval, `ci_low` and `ci_high`, all in [0, 1].
    """

    seconds: float
    finished_at: datetime
    host: str
    device: str
    threads: int
    git_revision: str | None
    versions: Mapping[str, str]
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredVerdict:
    """Verdict on whether a model's figures can be believed; `reasons` say why not, the gravest first."""

    verdict: str
    reasons: tuple[str, ...]
    judged_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class JobDetails:
    """Everything that the store holds of one job. `spec` is its complete spec; `dataset` that of the model that it trains or measures;
    `verdict` that on the model, for jobs that train one."""

    key: str
    key_version: int
    stage: Stage
    description: str
    state: JobState
    dataset: str
    spec: Mapping[str, Any]
    sweeps: tuple[Holder, ...]
    parents: tuple[Relative, ...]
    children: tuple[Relative, ...]
    attempts: tuple[Attempt, ...]
    result: RecordedResult | None
    verdict: StoredVerdict | None
