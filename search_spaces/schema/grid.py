"""The typed schema of space files: what may vary, with which legal values."""

import re
from itertools import product
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from search_spaces.schema.attack_groups import AttackGroup
from search_spaces.schema.axes import Axes, Axis
from search_spaces.schema.defence_axes import DefenceAxes
from search_spaces.schema.diagnosis_section import DiagnosisSection
from search_spaces.schema.surface_groups import SurfaceGroup
from search_spaces.schema.training_axes import FineTuningAxes, ListAxis, TrainingAxes, needs_epochs
from workers.spec.compatibility import (
    require_augmentable,
    require_binary_draws,
    require_binary_init,
    require_defensible,
    require_fitting,
    require_lists,
)
from workers.spec.fields import (
    AllZero,
    Count,
    DatasetName,
    Draws,
    ExecutionChoice,
    Frozen,
    Index,
    Initialisation,
    ModelName,
    RankFraction,
    RankKind,
    SketchModes,
    SplitLists,
    StageRankFractions,
    Theta,
)
from workers.spec.job import EvaluationSpec, ModelSpec

T = TypeVar("T")


def _space_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
        raise ValueError("must be at most 100 letters, digits, '.', '_' or '-', a letter or digit first")
    return value


def _one_line(value: str) -> str:
    line = value.strip()
    if not line.isprintable():
        raise ValueError("must be one line of text")
    return line


def _mapping(value: object) -> object:
    """A section whose settings are all commented out reads as null."""
    return {} if value is None else value


def _groups(value: object) -> object:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else value


SpaceName = Annotated[str, AfterValidator(_space_name)]
SpaceTitle = Annotated[str, AfterValidator(_one_line)]
Fractions = Annotated[StageRankFractions, BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)]
Section = Annotated[T, BeforeValidator(_mapping)]


class DataAxes(Axes):
    """The axes of `DataSpec`."""

    name: Axis[DatasetName]
    train_examples: Axis[Count | None] = ()
    split_lists: Axis[SplitLists] = ()

    @field_validator("split_lists")
    @classmethod
    def _there_are_such_lists(cls, values: tuple[SplitLists, ...], info: ValidationInfo) -> tuple[SplitLists, ...]:
        require_lists(info.data.get("name", ()), values)
        return values


class ModelAxes(Axes):
    """The axes of `ModelSpec`."""

    name: Axis[ModelName] = ()
    width: Axis[Count] = ()
    tensorized: Axis[bool] = ()
    rank_fraction: Axis[RankFraction] = ()
    rank_kind: Axis[RankKind] = ()
    stage_rank_fractions: ListAxis[Fractions | None] = ()
    tensorize_first: Axis[bool] = ()
    tensorize_linear: Axis[bool] = ()
    execution: Axis[ExecutionChoice] = ()
    theta: Axis[Theta] = ()
    sketch_modes: Axis[SketchModes] = ()
    rescale: Axis[bool] = ()
    all_zero: Axis[AllZero] = ()
    draws: Axis[Draws] = ()
    binary: Axis[bool] = ()
    init: Axis[Initialisation] = ()

    @field_validator("theta")
    @classmethod
    def _dense_is_not_sketched(cls, values: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        sketched = [theta for theta in values if theta < 1]
        if sketched and False in info.data.get("tensorized", ()):
            raise ValueError(f"theta={sketched[0]:g} with tensorized=false: a dense model has no sketch; use theta 1.0 for dense")
        return values

    @field_validator("draws")
    @classmethod
    def _spatial_modes_have_one_draw(cls, values: tuple[Draws, ...], info: ValidationInfo) -> tuple[Draws, ...]:
        if "example" in values and "all" in info.data.get("sketch_modes", ()):
            raise ValueError("draws=example with sketch_modes=all: only the channel modes can be drawn per example")
        return values

    @field_validator("binary")
    @classmethod
    def _is_drawn_once_a_batch(cls, values: tuple[bool, ...], info: ValidationInfo) -> tuple[bool, ...]:
        if True in values:
            for draws in info.data.get("draws", ()):
                require_binary_draws(draws)
        return values

    @field_validator("init")
    @classmethod
    def _signs_are_not_decomposed(cls, values: tuple[Initialisation, ...], info: ValidationInfo) -> tuple[Initialisation, ...]:
        if True in info.data.get("binary", ()):
            for init in values:
                require_binary_init(init)
        return values


class EvaluationSettings(EvaluationSpec):
    """How every model is measured; none of it is an axis. Several draws are for models that have something random about them."""

    draws: Count = 4
    repeats: Count = 1


class Grid(Frozen):
    """What varies in a grid: every axis a tuple, every combination of their values a computation."""

    seed: Axis[Index] = (0,)
    data: DataAxes
    model: Section[ModelAxes] = Field(default=ModelAxes(), validate_default=True)
    defence: Section[DefenceAxes] = DefenceAxes()
    training: TrainingAxes
    fine_tuning: Section[FineTuningAxes] = FineTuningAxes()
    evaluation: Section[EvaluationSettings] = EvaluationSettings()
    attacks: Annotated[tuple[AttackGroup, ...], BeforeValidator(_groups)] = ()
    diagnosis: DiagnosisSection | None = None
    surfaces: Annotated[tuple[SurfaceGroup, ...], BeforeValidator(_groups)] = ()

    @field_validator("model")
    @classmethod
    def _models_take_the_data(cls, model: ModelAxes, info: ValidationInfo) -> ModelAxes:
        for dataset, name in product(_datasets(info), model.name or (ModelSpec().name,)):
            require_fitting(dataset, name)
        return model

    @field_validator("defence")
    @classmethod
    def _defences_have_something_to_act_on(cls, defence: DefenceAxes, info: ValidationInfo) -> DefenceAxes:
        binary = info.data["model"].binary if "model" in info.data else ()
        for name, dataset in product(defence.name, _datasets(info)):
            require_defensible(name, dataset, binary=True in binary)
        return defence

    @field_validator("training", "fine_tuning")
    @classmethod
    def _only_images_are_augmented(cls, training: FineTuningAxes, info: ValidationInfo) -> FineTuningAxes:
        for dataset, flip, padding in product(_datasets(info), training.horizontal_flip or (False,), training.crop_padding or (None,)):
            require_augmentable(dataset, horizontal_flip=flip, crop_padding=padding)
        return training

    @field_validator("fine_tuning")
    @classmethod
    def _epochs_are_known(cls, axes: FineTuningAxes, info: ValidationInfo) -> FineTuningAxes:
        inherited = info.data["training"].epochs if "training" in info.data else (1,)
        if axes.recipe and needs_epochs(axes.recipe) and not (axes.epochs or inherited):
            raise ValueError("recipe=custom: has no epochs; give fine_tuning.epochs")
        return axes


def _datasets(info: ValidationInfo) -> tuple[DatasetName, ...]:
    """The space's data sets; none where that section is wrong itself."""
    return info.data["data"].name if "data" in info.data else ()


SECTIONS: dict[str, type[Frozen]] = {
    "data": DataAxes,
    "model": ModelAxes,
    "defence": DefenceAxes,
    "training": TrainingAxes,
    "fine_tuning": FineTuningAxes,
    "evaluation": EvaluationSettings,
    "attacks": AttackGroup,
    "diagnosis": DiagnosisSection,
    "surfaces": SurfaceGroup,
}
LISTS: dict[str, str] = {"attacks": "attack group", "surfaces": "surface group"}
"""The sections that are lists, and what they are lists of."""
