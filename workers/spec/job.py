"""Job specs: everything that determines a job's result, closed and with every default filled in. Imports neither torch nor Ray."""

from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, ValidationInfo, field_validator, model_validator

from workers.spec.attack import KINDS, AttackSettings
from workers.spec.compatibility import (
    require_augmentable,
    require_binary_draws,
    require_binary_init,
    require_defensible,
    require_fitting,
    require_lists,
)
from workers.spec.defence import AROUND, UNDEFENDED, DefenceSpec, is_randomised
from workers.spec.diagnosis import DiagnosisSettings
from workers.spec.fields import (
    AllZero,
    Count,
    DatasetName,
    Draws,
    ExecutionChoice,
    Frozen,
    Index,
    Initialisation,
    Knowledge,
    ModelName,
    RankFraction,
    RankKind,
    SketchModes,
    SplitLists,
    Stage,
    StageRankFractions,
    Theta,
    TrainingStage,
)
from workers.spec.keys import job_key
from workers.spec.surface import SurfaceSettings
from workers.spec.training import TrainingSpec


class DataSpec(Frozen):
    """A data set and the fixed, class-balanced subset of its training split (None: all of it).

    `split_lists` says which pair of list files divides speech_commands: `official`, `validation_list.txt` and `testing_list.txt`,
    or `resplit`, a second pair for subsets in which the official one leaves some words nearly no training clips.
    """

    name: DatasetName
    train_examples: Count | None = None
    split_lists: SplitLists = "official"

    @model_validator(mode="after")
    def _has_these_lists(self) -> Self:
        require_lists([self.name], [self.split_lists])
        return self


class ModelSpec(Frozen):
    """A network and its latent sketch; `width` is the channels of the first stage (in the paper 64 for resnet18, 16 for soundnet5).

    `stage_rank_fractions` are in place of `rank_fraction` for the four stages after the first convolution: those of resnet18, or the other
    convolutions of soundnet5 and logmel.
    A `binary` one has binary convolutions (XNOR-Net), the first excepted. `init` is where Tucker layers come from: `random` weights, or
    the decomposition of a trained dense net of the same architecture (`decompose`).
    """

    name: ModelName = "resnet18"
    width: Count = 64
    tensorized: bool = True
    rank_fraction: RankFraction = 0.5
    rank_kind: RankKind = "channels"
    stage_rank_fractions: StageRankFractions | None = None
    tensorize_first: bool = False
    tensorize_linear: bool = False
    execution: ExecutionChoice = "auto"
    theta: Theta = 1.0
    sketch_modes: SketchModes = "channels"
    rescale: bool = True
    all_zero: AllZero = "keep"
    draws: Draws = "batch"
    binary: bool = False
    init: Initialisation = "random"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.theta < 1 and not self.tensorized:
            raise ValueError(f"theta={self.theta:g} with tensorized=false: a dense model has no sketch; use theta 1.0 for dense")
        if self.draws == "example" and self.sketch_modes == "all":
            raise ValueError("draws=example with sketch_modes=all: only the channel modes can be drawn per example")
        if self.binary:
            require_binary_draws(self.draws)
            require_binary_init(self.init)
        return self


class EvaluationSpec(Frozen):
    """Which test examples (the first `examples` of a fixed class-balanced order; None: all), how many share one sketch draw, and how
    many fresh forward draws evaluate each clean or adversarial example; where nothing is random `draws` is 1."""

    examples: Count | None = None
    batch_size: Count = 256
    draws: Count = 1


class TrainSpec(Frozen):
    """Train a model: from scratch (`pretrain`), or from the weights of the parent in role `weights` (`fine_tune`).

    The parent of a tensorized model has its Tucker layers, or is dense and is decomposed (`init` decompose).

    Stage `defend` trains nothing: it puts a defence around the parent in role `weights`, whose weights it takes and whose settings
    it repeats. Defences that are trained in are there from `pretrain` on.

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
        if until > epochs:
            raise ValueError(f"until={until}: must be in [1, {epochs}], the epochs of the training's schedule")
        return None if until == epochs else until

    @property
    def last_epoch(self) -> int:
        """The epoch after which the training stops."""
        return self.training.epochs if self.until is None else self.until

    @property
    def is_rung(self) -> bool:
        """Whether the job trains, and stops before its schedule ends."""
        return self.until is not None and self.stage != "defend"

    @property
    def randomised(self) -> bool:
        """Whether the trained model's forward passes are random: under a live sketch, or by its defence."""
        return is_randomised(self.model.theta, self.defence.name)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        require_fitting(self.data.name, self.model.name)
        if self.stage == "pretrain" and self.model.init == "decompose" and self.model.tensorized:
            raise ValueError("stage pretrain with init=decompose: there is nothing to decompose yet; a dense parent is fine-tuned")
        require_augmentable(self.data.name, horizontal_flip=self.training.horizontal_flip, crop_padding=self.training.crop_padding)
        require_defensible(self.defence.name, self.data.name, binary=self.model.binary)
        if (self.stage == "defend") != (self.defence.name in AROUND):
            raise ValueError(f"stage={self.stage} with defence={self.defence.name}: only {', '.join(sorted(AROUND))} are put around")
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
    """

    stage: Literal["attack"] = "attack"
    attack: AttackSettings
    knowledge: Knowledge
    evaluation: EvaluationSpec
    repeat: Index

    @model_validator(mode="after")
    def _only_eot_averages_gradients(self) -> Self:
        if self.knowledge != "eot" and self.attack.eot_samples > 1:
            raise ValueError(f"eot_samples={self.attack.eot_samples} with knowledge={self.knowledge}: must be 1; only eot averages")
        if self.knowledge == "eot" and not KINDS[self.attack.name].gradient:
            raise ValueError(f"knowledge=eot: {self.attack.name} takes no gradient; one of omniscient, randomized, transfer")
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


JobSpec = Annotated[TrainSpec | EvaluateSpec | CraftSpec | AttackSpec | DiagnoseSpec | SurfaceSpec, Field(discriminator="stage")]


class Earlier(Frozen):
    """A finished rung: its job key, and how many epochs it was trained for."""

    key: str
    epochs: Count


class Job(Frozen):
    """A node of the plan: a spec and its parents' job keys by role (`weights`, `model`, `examples`, `source`, `direction`).

    `resumes` is a rung of the same trunk whose training the job may go on with: a hint, which changes nothing but the work that is
    left, and is no part of the key.
    """

    spec: JobSpec
    parents: dict[str, str] = {}
    resumes: Earlier | None = None

    @cached_property
    def key(self) -> str:
        """The job key: SHA-256 over the key version, the resolved spec and the parents' keys (64 hex digits)."""
        return job_key(self.spec.model_dump(mode="json"), self.parents)

    @cached_property
    def trunk_key(self) -> str:
        """The key of the same training carried to its end, from which a rung draws all that it draws; of any other job its own."""
        return job_key({**self.spec.model_dump(mode="json"), "until": None}, self.parents) if self._is_rung else self.key

    @property
    def _is_rung(self) -> bool:
        return isinstance(self.spec, TrainSpec) and self.spec.is_rung

    def __copy__(self) -> "Job":
        copied = super().__copy__()
        for name in ("key", "trunk_key"):  # `model_copy` may change what they were made of
            copied.__dict__.pop(name, None)
        return copied

    @property
    def stage(self) -> Stage:
        return self.spec.stage


JOB = TypeAdapter(Job)
