"""The typed schema of space files: what may vary, with which legal values."""

import re
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, field_validator

from search_spaces.attack_groups import AttackGroup
from search_spaces.axes import Axes, Axis
from search_spaces.training_axes import FineTuningAxes, TrainingAxes, needs_epochs
from workers.fields import (
    Count,
    DatasetName,
    Frozen,
    Index,
    ModelName,
    RankFraction,
    RankKind,
    SketchModes,
    Theta,
)
from workers.specs import EvaluationSpec

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
Section = Annotated[T, BeforeValidator(_mapping)]


class DataAxes(Axes):
    """The axes of `DataSpec`."""

    name: Axis[DatasetName]
    train_examples: Axis[Count | None] = ()


class ModelAxes(Axes):
    """The axes of `ModelSpec`."""

    name: Axis[ModelName] = ()
    width: Axis[Count] = ()
    tensorized: Axis[bool] = ()
    rank_fraction: Axis[RankFraction] = ()
    rank_kind: Axis[RankKind] = ()
    tensorize_first: Axis[bool] = ()
    theta: Axis[Theta] = ()
    sketch_modes: Axis[SketchModes] = ()
    rescale: Axis[bool] = ()
    binary: Axis[Literal[False]] = ()

    @field_validator("theta")
    @classmethod
    def _dense_is_not_sketched(cls, values: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        sketched = [theta for theta in values if theta < 1]
        if sketched and False in info.data.get("tensorized", ()):
            raise ValueError(f"theta={sketched[0]:g} with tensorized=false: a dense model has no sketch; use theta 1.0 for dense")
        return values


class EvaluationSettings(EvaluationSpec):
    """How every model is measured; none of it is an axis."""

    repeats: Count = 1


class Space(Frozen):
    """The declarative description of what varies: one space file, every axis a tuple."""

    name: SpaceName
    description: Annotated[str, AfterValidator(_one_line)] = ""
    method: Literal["grid"] = "grid"
    seed: Axis[Index] = (0,)
    data: DataAxes
    model: Section[ModelAxes] = ModelAxes()
    training: TrainingAxes
    fine_tuning: Section[FineTuningAxes] = FineTuningAxes()
    evaluation: Section[EvaluationSettings] = EvaluationSettings()
    attacks: Annotated[tuple[AttackGroup, ...], BeforeValidator(_groups)] = ()

    @field_validator("fine_tuning")
    @classmethod
    def _epochs_are_known(cls, axes: FineTuningAxes, info: ValidationInfo) -> FineTuningAxes:
        inherited = info.data["training"].epochs if "training" in info.data else (1,)
        if axes.recipe and needs_epochs(axes.recipe) and not (axes.epochs or inherited):
            raise ValueError("recipe custom has no epochs; give fine_tuning.epochs")
        return axes


SECTIONS: dict[str, type[Frozen]] = {
    "data": DataAxes,
    "model": ModelAxes,
    "training": TrainingAxes,
    "fine_tuning": FineTuningAxes,
    "evaluation": EvaluationSettings,
    "attacks": AttackGroup,
}


def legal_keys(path: tuple[str | int, ...]) -> list[str]:
    """The keys that the mapping at `path` may hold: () is the file, ("model",) and ("attacks", 0) are sections."""
    section = SECTIONS[str(path[0])] if path else Space
    return list(section.model_fields)
