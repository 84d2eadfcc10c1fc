"""Specs of the stages of jobs, closed and with every default filled in. Imports neither torch nor Ray."""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from workers.components.settings import Frozen
from workers.registry import DATASETS, DEFENCES, METRICS, MODELS
from workers.spec.attack import AttackSettings, not_averaged
from workers.spec.compatibility import require_augmentable, require_checkpoint, require_defensible, require_fitting, require_mixable
from workers.spec.component import UNDEFENDED, DataSpec, DefenceSpec
from workers.spec.corruption import CorruptionSpec
from workers.spec.diagnosis import DiagnosisSettings
from workers.spec.fields import Count, ExampleOrder, Index, Knowledge, SplitName, TrainingStage
from workers.spec.model import ModelSpec
from workers.spec.surface import SurfaceSettings
from workers.spec.training import TrainingSpec


class MeasuringSettings(Frozen):
    """Examples (the first `examples` of an `order`, where fewer are held out all of them; None: all, in file order), the number of them
    that share one sketch draw,
    and the number of fresh forward draws that evaluate each clean or adversarial example; where nothing is random `draws` is 1. `metrics`
    are measured of attacked examples in addition to those of ours that always are.

    In the order `balanced` the classes take turns; `file` is that of the data set's files, in which others take their first examples;
    `random` is one permutation of them, the same for every model."""

    examples: Count | None = None
    order: ExampleOrder = "balanced"
    batch_size: Count = 256
    draws: Count = 1
    metrics: Annotated[tuple[str, ...], Field(strict=False)] = ()

    @field_validator("metrics")
    @classmethod
    def _are_known(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for name in names:
            if not (info.context or {}).get("stored"):
                METRICS[name]
        return names

    @property
    def resolved_order(self) -> ExampleOrder:
        """Order in which the examples are evaluated: all of them in file order, whatever is asked."""
        return "file" if self.examples is None else self.order


class Shard(Frozen):
    """Part of an evaluation `of` so many examples: it begins at the place `first` of their order."""

    first: Index
    of: Count


class EvaluationSpec(MeasuringSettings):
    """Settings of a measurement, on the test split or on the one that is held out for validation.

    Of a `shard` the `examples` are its own."""

    split: SplitName = "test"
    shard: Shard | None = None

    @model_validator(mode="after")
    def _shard_is_within(self) -> Self:
        if self.shard is not None and (self.examples is None or self.shard.first + self.examples > self.shard.of):
            raise ValueError(f"shard.first={self.shard.first} with examples={self.examples}: must end within {self.shard.of} examples")
        return self


class TrainSpec(Frozen):
    """Make a model: train it from scratch (`pretrain`), or from the weights of the parent in role `weights` (`fine_tune`).

    The parent of a tensorized model has its Tucker layers, or is dense and is decomposed (`init` decompose).

    Stage `adopt` trains nothing: it takes the weights of a network trained elsewhere, those of the digest `weights` of the job.
    Stage `defend` trains nothing either: it puts a defence around the parent in role `weights`, whose weights it takes and whose settings
    it repeats. Defences that are trained in are there from `pretrain` on. Stage `select` takes, of the parent in that role, whose settings
    it repeats, the weights of the epoch that was best on the validation split (`checkpoint` best).

    A *rung* stops after `until` epochs of the schedule (None: after all of them, and so does the number of all of them). It is bit for
    bit as far as the same job without `until`, its *trunk*, is then, and keeps its checkpoint, so that others can go on from there.
    """

    stage: TrainingStage
    data: DataSpec
    model: ModelSpec
    training: TrainingSpec
    defence: DefenceSpec = UNDEFENDED
    seed: Index = 0
    until: Count | None = None

    @field_validator("until")
    @classmethod
    def _within_the_schedule(cls, until: int | None, info: ValidationInfo) -> int | None:
        if until is None or "training" not in info.data:
            return until
        epochs: int = info.data["training"].epochs
        if not 0 < until <= epochs:
            raise ValueError(f"until={until}: must be in [1, {epochs}], the epochs of the training's schedule")
        return None if until == epochs else until

    @property
    def last_epoch(self) -> int:
        """The epoch after which the training stops."""
        return self.training.epochs if self.until is None else self.until

    @property
    def is_rung(self) -> bool:
        """True where the job trains, and stops before its schedule ends."""
        return self.until is not None and self.stage in ("pretrain", "fine_tune")

    @property
    def randomised(self) -> bool:
        """True where the trained model's forward passes are random: under a live sketch, by its defence, or by itself."""
        return self.model.theta < 1 or self.defence.facts.randomised or self.model.facts.randomised

    @property
    def shares_draws(self) -> bool:
        """True where the examples of a batch share what the trained model draws: a sketch of the batch, or what the net itself draws."""
        return self.model.facts.randomised or (self.model.theta < 1 and self.model.draws == "batch")

    @property
    def may_lack_layers(self) -> bool:
        """True where something is asked of layers that the network may not have; our nets of stages have convolutions and ReLUs."""
        model, defence = self.model, self.defence.facts
        if not model.is_foreign and model.facts.stages:
            return model.rank_fractions is not None and tuple(model.rank_fractions) != model.facts.stages
        return bool(model.asked_of_factors) or model.binary or defence.acts_on_relus or not defence.around

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.data.name not in DATASETS or self.model.name not in MODELS or self.defence.name not in DEFENCES:
            return self  # read from a store, with components that are not installed here
        require_fitting(self.data.name, self.model.name)
        if self.stage in ("pretrain", "adopt") and self.model.init == "decompose" and self.model.tensorized:
            raise ValueError(f"stage {self.stage} with init=decompose: there is nothing to decompose yet; a dense parent is fine-tuned")
        if self.stage == "pretrain" and self.training.epochs == 0:
            raise ValueError("epochs=0: a network is trained from scratch; must be >= 1")
        training = self.training
        require_augmentable(self.data.name, training.__dict__, shape=self.data.shape)
        require_checkpoint(training.checkpoint, held_out=self.data.validation_examples, average=training.weight_average)
        if (self.stage == "select") != (training.checkpoint == "best"):
            raise ValueError(f"stage={self.stage} with checkpoint={training.checkpoint}: stage select takes the best, the others the last")
        if training.is_installed:
            require_mixable(training.loss, training.mixing)
        require_defensible(self.defence.name, self.data.name, binary=self.model.binary)
        if (self.stage == "defend") != self.defence.facts.around:
            around = ", ".join(found.name for found in DEFENCES if found.facts.around)
            raise ValueError(f"stage={self.stage} with defence={self.defence.name}: only {around} are put around")
        return self


class EvaluateSpec(Frozen):
    """Clean accuracy of the parent in role `model`, under fresh sketches."""

    stage: Literal["evaluate"] = "evaluate"
    evaluation: EvaluationSpec
    repeat: Index


class CraftSpec(Frozen):
    """Make adversarial examples on the parent's full weights (its sketch switched off), once, for every repeat, and for every other
    model that they are transferred to."""

    stage: Literal["craft"] = "craft"
    attack: AttackSettings
    evaluation: EvaluationSpec

    @model_validator(mode="after")
    def _nothing_is_random(self) -> Self:
        if self.attack.eot_samples > 1:
            raise ValueError(f"eot_samples={self.attack.eot_samples}: full weights are not random; must be 1")
        if self.evaluation.draws > 1:
            raise ValueError(f"draws={self.evaluation.draws}: crafting evaluates nothing; must be 1")
        return self


class AttackSpec(Frozen):
    """Robust accuracy of the parent in role `model`; one with knowledge `eot` averages each gradient over `eot_samples` fresh sketches.

    An `omniscient` attack takes its examples, made on the same model, from the parent in role `examples`; a `transfer` attack too,
    and there they were made on another model, the parent in role `source`. `attack` is then how they were made.

    With a parent in role `survivors` it attacks those examples alone that this attack left right, and has the others for fooled; `after`
    names the attacks before it. A suite that is not crafted attacks nothing itself: its other parents are its last attack in that role,
    or on a randomised model all of its attacks, by name.

    Of the first `keep_examples` that it attacks it keeps what it made of them, to be looked at.

    With parents in roles `shard 0`, `shard 1`, ... it attacks nothing itself: its outcome is theirs, one after the other.
    """

    stage: Literal["attack"] = "attack"
    attack: AttackSettings
    knowledge: Knowledge
    evaluation: EvaluationSpec
    repeat: Index
    after: str = ""
    keep_examples: Index = 0

    @model_validator(mode="after")
    def _only_eot_averages_gradients(self) -> Self:
        if self.knowledge != "eot" and self.attack.eot_samples > 1:
            raise ValueError(f"eot_samples={self.attack.eot_samples} with knowledge={self.knowledge}: must be 1; only eot averages")
        if self.knowledge == "eot" and self.attack.is_installed and (reason := not_averaged(self.attack.name)):
            raise ValueError(f"knowledge=eot: {reason}; one of omniscient, randomized, transfer")
        return self


class DiagnoseSpec(Frozen):
    """Find out whether the robustness of the parent in role `model` is real."""

    stage: Literal["diagnose"] = "diagnose"
    diagnosis: DiagnosisSettings


class SurfaceSpec(Frozen):
    """The loss of the parent in role `model` over a square around one test example; with direction `theta_one` the parent in role
    `direction` is the net whose gradient the square follows."""

    stage: Literal["surface"] = "surface"
    surface: SurfaceSettings


class CorruptSpec(Frozen):
    """Accuracy of the parent in role `model` on corrupted images, under fresh sketches."""

    stage: Literal["corrupt"] = "corrupt"
    corruption: CorruptionSpec
    evaluation: EvaluationSpec
    repeat: Index


JobSpec = Annotated[
    TrainSpec | EvaluateSpec | CraftSpec | AttackSpec | DiagnoseSpec | SurfaceSpec | CorruptSpec, Field(discriminator="stage")
]


POINTS_PER_PASS = 256
"""Points of a surface per forward pass, independent of its resolution."""


CONTEXT_BYTES = 600 << 20
"""Memory that CUDA itself takes of a GPU for each process, which PyTorch neither counts nor limits."""


def batch_size(spec: JobSpec) -> int:
    """Return the number of examples of one batch; an attack's passes may hold several copies of it."""
    match spec:
        case TrainSpec():
            return spec.training.batch_size
        case DiagnoseSpec():
            return spec.diagnosis.batch_size
        case SurfaceSpec():
            return POINTS_PER_PASS
        case _:
            return spec.evaluation.batch_size
