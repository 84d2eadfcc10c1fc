"""Values that reads of the store return: frozen, independent of the database."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from orchestrator.statistics.verdict import Verdict, VerdictCheck
from orchestrator.store.reading.study_trials import StudyCounts
from workers.spec.fields import Stage


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredModel:
    """A trained model of a sweep as rows describe it.

    `model_settings`, `data_settings` and `defence_settings` are its components' own settings (the last None where there is no defence),
    `model_options` further fields of `ModelSpec`, `training` and `fine_tuning` the settings of its trainings as far as they are recorded
    (the second None where there was none); see `own_settings.value_of`. `rank` maps each tensorized layer to its Tucker rank, None for a
    dense model; `rank_fractions` are those of single layers, by patterns of their names.
    `verdict` is that on it, `reasons` why it is not sound; None where it was neither attacked nor diagnosed. `until` is the epoch, of the
    `epochs` of its schedule, after which its training was stopped (a rung); None at the end.
    `modality`, `n_classes`, `low` and `high` are facts of the data, None where they are not known. `randomised` is True where forward
    passes are random, and where that is not known.
    """

    sweep: str
    model_key: str
    stage: Stage
    dataset: str
    train_examples: int | None
    validation_examples: float = 0
    data_settings: dict[str, Any]
    modality: str | None
    n_classes: int | None
    low: float | None
    high: float | None
    model: str
    model_settings: dict[str, Any]
    model_options: dict[str, Any]
    tensorized: bool
    theta: float
    rank: dict[str, list[int]] | None
    rank_fraction: float | None
    rank_kind: str
    rank_fractions: dict[str, float] | None
    sketch_modes: str
    rescale: bool
    binary: bool
    randomised: bool
    training: dict[str, Any]
    fine_tuning: dict[str, Any] | None
    adversarial_training: str
    defence: str
    defence_settings: dict[str, Any] | None
    seed: int | None
    epochs: int
    n_parameters: int
    verdict: Verdict | None = None
    reasons: tuple[str, ...] = ()
    until: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultRow(MeasuredModel):
    """One trained model under one attack, over its repeats (`repeat` is None) or in one of them.

    Accuracies and their 95 % intervals are shares in [0, 1] of all `n_examples` of the `split`, means over `draws` evaluations of each in
    each of `repeats`. The clean ones are None until the model's clean accuracy on as many examples is recorded; the robust ones are None
    in a row without attack, whose `attack`, `knowledge` and other names are `none` and whose counts are 0.
    `se_examples`, `se_draws` and `se_seeds` are the standard errors, in the same unit, that the choice of examples, the draws (of
    sketches and attack) and the training seeds leave in the robust accuracy, in a row without attack in the clean one; see `Spread`.
    In a row over models that differ in their training seed alone `seed` is None, `seeds` their number, `model_key` that of the lowest
    seed and `repeats` how many each of them has at least; its intervals cover the choice of seeds. Elsewhere `seeds` is 1.
    `metrics` are those of the attacked examples, means over repeats; None where no example has a value.
    `forward_passes`, `backward_passes` and `queries` are what the attack cost in one repeat, in examples, the mean over repeats (see
    `Spent`); None without attack or over several, and where a result of an older version does not say.
    `epsilon` is in input units. `attack_settings` are the attack's own, `loss` the one by which its outcomes are compared;
    `takes_gradients`, `random_start`, `selects` and `one_step` are facts of the attack, None where they are not known.
    `source_key` is the model on which transferred examples were made, `source` how that differs from the attacked one, in a few words;
    both are None for other knowledges.
    `sign_gradient` is how the attacker differentiated the sign of a binary model; `identity` where there is none.
    `attacks` counts the attacks of the row: 1, or 0 in one without. In a row over several (attack `worst_case`) what they do not share
    is `none` or 0, `knowledge` is `any` where they differ in it, and the robust accuracy is None for a randomised model that was
    evaluated only once.
    `asked_examples` is set where the attack left a race before all of so many were measured: the accuracy is over the first `n_examples`,
    and its interval is one that holds whenever an attack leaves. Such rows are only among those that were asked for as `stopped`.
    `example_order` is that of which the examples are the first: `balanced` (the classes take turns) or that of the data set's `file`s.
    `corruption_accuracy` is the mean over the corruptions that the sweep has measured of the model on as many examples, each the mean over
    its severities; None where it has measured none.
    `job_keys` are the jobs that the row is computed from: attacks, or evaluations in a row without attack.
    """

    job_keys: tuple[str, ...]
    attack: str
    attack_settings: dict[str, Any]
    takes_gradients: bool | None
    random_start: bool | None
    selects: bool | None
    one_step: bool | None
    knowledge: str
    source_key: str | None
    source: str | None
    norm: str
    epsilon: float
    epsilon_literal: str
    loss: str | None
    target: str
    restarts: int
    eot_samples: int
    selection_draws: int
    early_stop: bool
    backend: str
    sign_gradient: str
    n_examples: int
    evaluation_batch_size: int
    draws: int
    split: str = "test"
    example_order: str
    asked_examples: int | None = None
    repeat: int | None
    repeats: int
    seeds: int
    attacks: int
    clean_accuracy: float | None
    clean_ci_low: float | None
    clean_ci_high: float | None
    robust_accuracy: float | None
    ci_low: float | None
    ci_high: float | None
    metrics: dict[str, float | None]
    forward_passes: float | None
    backward_passes: float | None
    queries: float | None
    se_examples: float | None
    se_draws: float | None
    se_seeds: float | None
    corruption_accuracy: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelVerdict:
    """Verdict on whether a model's figures can be believed, with each check."""

    model_key: str
    description: str
    verdict: Verdict
    checks: tuple[VerdictCheck, ...]
    judged_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SurfaceRow(MeasuredModel):
    """Summary of a grid of losses of one trained model around one test example; the grid itself is in the artifact of `job_key`.

    `source_key` is the model that gave the x axis its direction. `extent` is half the square's side in input units, as `norm`
    measures the axes. `clean_loss` is the loss at the example, the mean over the draws; the other two are over all points and draws.
    """

    job_key: str
    source_key: str
    example: int
    direction: str
    extent: float
    resolution: int
    draws: int
    norm: str
    clip: bool
    label: int
    clean_loss: float
    least_loss: float
    greatest_loss: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CorruptionRow(MeasuredModel):
    """Accuracy of one trained model under one common corruption at one severity, in [0, 1], with its 95 % interval, over its repeats."""

    corruption: str
    severity: int
    corruption_seed: int
    n_examples: int
    evaluation_batch_size: int
    draws: int
    example_order: str
    repeats: int
    accuracy: float
    ci_low: float
    ci_high: float
    job_keys: tuple[str, ...]


JobState = Literal["done", "running", "waiting", "failed", "blocked"]
STATES: tuple[JobState, ...] = get_args(JobState)


@dataclass(frozen=True, kw_only=True, slots=True)
class StageCounts:
    """Number of jobs of a stage in each state; `blocked` ones have a failed ancestor, `waiting` ones can still be done."""

    done: int = 0
    running: int = 0
    waiting: int = 0
    failed: int = 0
    blocked: int = 0

    @property
    def total(self) -> int:
        return self.done + self.running + self.waiting + self.failed + self.blocked


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepStatus:
    """Progress of a sweep, over the jobs of its space; `stages` holds the stages it has, in the order they are run. A search's `trials`
    add further jobs; None for a grid. `silent_seconds` is the age of the last heartbeat, by the database's clock; None once the driver
    has left. `command` launched the space as it is now, None where that was not recorded yet; `overrides` are its `--set`."""

    name: str
    launched_at: datetime | None
    heartbeat_at: datetime | None
    driver_alive: bool
    driver_host: str | None
    driver_pid: int | None
    stages: dict[Stage, StageCounts]
    trials: StudyCounts | None = None
    silent_seconds: float | None = None
    command: str | None = None
    overrides: tuple[str, ...] = ()

    @property
    def totals(self) -> Counter[JobState]:
        """Number of jobs in each state, over all stages."""
        return Counter({state: sum(getattr(counts, state) for counts in self.stages.values()) for state in STATES})

    @property
    def jobs_left(self) -> int:
        """Number of jobs that are not done; a search's next trials add further ones."""
        return self.totals.total() - self.totals["done"]

    @property
    def is_finished(self) -> bool:
        """True where every job is done, and every trial of a search."""
        return self.jobs_left == 0 and not (self.trials is not None and self.trials.left)


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Failed job with its number of attempts and the error of its last failed attempt."""

    key: str
    stage: Stage
    description: str
    attempts: int
    error: str
    traceback: str
