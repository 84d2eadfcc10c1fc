"""The grid of a space: its sections and axes, and which of their values go together."""

import re
from collections.abc import Mapping
from itertools import product
from typing import Annotated, Any, Self, TypeVar, cast

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, ValidationInfo, ValidatorFunctionWrapHandler, field_validator
from pydantic_core import PydanticKnownError

from search_spaces.schema.attack_groups import AttackGroup
from search_spaces.schema.axes import Axis
from search_spaces.schema.component_axes import DefenceAxes
from search_spaces.schema.measuring_sections import CorruptionSection, DiagnosisSection, SurfaceGroup
from search_spaces.schema.model_axes import DataAxes, ModelAxes
from search_spaces.schema.racing_section import RacingSection
from search_spaces.schema.training_axes import FineTuningAxes, TrainingAxes, needs_epochs
from workers.components.settings import Frozen
from workers.registry import DATASETS
from workers.spec.compatibility import (
    AUGMENTATIONS,
    require_attackable,
    require_augmentable,
    require_checkpoint,
    require_defensible,
    require_fitting,
    require_mixable,
)
from workers.spec.component import DataSpec
from workers.spec.corruption import require_corruptible
from workers.spec.fields import Count, Index, SplitName
from workers.spec.model import ModelSpec
from workers.spec.stage_specs import MeasuringSettings
from workers.spec.training import TrainingSpec

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


def as_groups(value: object) -> object:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else value


SpaceName = Annotated[str, AfterValidator(_space_name)]
SpaceTitle = Annotated[str, AfterValidator(_one_line)]
Section = Annotated[T, BeforeValidator(_mapping)]


class EvaluationSettings(MeasuringSettings):
    """Settings by which every model is measured; none of them is an axis. Several draws are for models with randomness."""

    draws: Count = 4
    repeats: Count = 1


class Grid(Frozen):
    """Axes of a grid: every axis a tuple, every combination of their values a computation."""

    seed: Axis[Index] = (0,)
    data: DataAxes
    model: Section[ModelAxes] = Field(default=ModelAxes(), validate_default=True)
    defence: Section[DefenceAxes] = DefenceAxes()
    training: TrainingAxes = Field(default=(), validate_default=True)
    fine_tuning: Section[FineTuningAxes] = FineTuningAxes()
    evaluation: Section[EvaluationSettings] = EvaluationSettings()
    attacks: Annotated[tuple[AttackGroup, ...], BeforeValidator(as_groups)] = ()
    diagnosis: DiagnosisSection | None = None
    surfaces: Annotated[tuple[SurfaceGroup, ...], BeforeValidator(as_groups)] = ()
    corruptions: CorruptionSection | None = None
    racing: RacingSection | None = None

    _weights: Mapping[str, str] = PrivateAttr(default={})
    _splits: tuple[SplitName, ...] = PrivateAttr(default=("test", "validation"))

    @property
    def splits(self) -> tuple[SplitName, ...]:
        """The splits that its models are measured on, as far as they have them."""
        return self._splits

    def measured_on(self, *splits: SplitName) -> Self:
        """The same grid, whose models are measured on these splits."""
        measured = self.model_copy()
        measured._splits = splits
        return measured

    @property
    def weights(self) -> Mapping[str, str]:
        """The digests of adopted weights, by how the space has them written."""
        return self._weights

    def with_weights(self, digests: Mapping[str, str]) -> Self:
        """The same grid, which knows these digests of adopted weights."""
        known = self.model_copy()
        known._weights = digests
        return known

    @field_validator("training", mode="wrap")
    @classmethod
    def _is_given_where_a_model_is_trained(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        if value != ():
            return handler(value)
        weights = info.data["model"].weights if "model" in info.data else (None,)
        if not weights or None in weights:
            raise PydanticKnownError("missing")
        return handler(cast("type[TrainingAxes]", cls.model_fields["training"].annotation).model_construct())

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

    @field_validator("attacks")
    @classmethod
    def _attacks_take_the_data(cls, attacks: tuple[AttackGroup, ...], info: ValidationInfo) -> tuple[AttackGroup, ...]:
        for group in attacks:
            for name, dataset in product(group.attack, _datasets(info)):
                require_attackable(name, dataset)
        return attacks

    @field_validator("training", "fine_tuning")
    @classmethod
    def _only_images_are_augmented(cls, training: FineTuningAxes, info: ValidationInfo) -> FineTuningAxes:
        for data in _data(info):
            for name, values in training:
                for value in values if name in AUGMENTATIONS else ():
                    require_augmentable(data.name, {name: value}, shape=data.shape)
            for checkpoint, average in product(training.checkpoint, training.weight_average or ("none",)):
                require_checkpoint(checkpoint, held_out=data.validation_examples, average=average)
        for mixing, loss in product(training.mixing, training.loss or (TrainingSpec.model_fields["loss"].default,)):
            require_mixable(loss, mixing)
        return training

    @field_validator("corruptions")
    @classmethod
    def _only_images_are_corrupted(cls, section: CorruptionSection | None, info: ValidationInfo) -> CorruptionSection | None:
        for dataset in _datasets(info) if section is not None else ():
            require_corruptible(dataset, DATASETS[dataset].facts.modality)
        return section

    @field_validator("racing")
    @classmethod
    def _has_what_to_shard(cls, racing: RacingSection | None, info: ValidationInfo) -> RacingSection | None:
        if racing is not None and "evaluation" in info.data:
            racing.require_fitting(info.data["evaluation"], order_is_given="order" in info.data["evaluation"].model_fields_set)
        if racing is not None and any(any(group.keep_examples) for group in info.data.get("attacks", ())):
            raise ValueError("an attack with keep_examples cannot race; attack those examples in a sweep of their own")
        return racing

    @field_validator("fine_tuning")
    @classmethod
    def _epochs_are_known(cls, axes: FineTuningAxes, info: ValidationInfo) -> FineTuningAxes:
        inherited = info.data["training"].epochs if "training" in info.data else (1,)
        if axes.recipe and needs_epochs(axes.recipe) and not (axes.epochs or inherited):
            raise ValueError("recipe=custom: has no epochs; give fine_tuning.epochs")
        return axes


def _datasets(info: ValidationInfo) -> tuple[str, ...]:
    """The space's data sets; none where that section is wrong itself."""
    return info.data["data"].name if "data" in info.data else ()


def _data(info: ValidationInfo) -> list[DataSpec]:
    """The space's data sets with their settings; none where that section is wrong itself."""
    return [DataSpec.model_validate(point) for point in info.data["data"].points()] if "data" in info.data else []
