"""The typed schema of space files: what may vary, with which legal values."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product
from typing import Annotated, Any, ClassVar, Self, TypeVar, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    create_model,
    field_validator,
)
from pydantic_core import PydanticKnownError

from search_spaces.schema.attack_groups import AttackGroup
from search_spaces.schema.axes import Axis
from search_spaces.schema.component_axes import ComponentAxes, DefenceAxes, known, with_own_settings
from search_spaces.schema.corruption_section import CorruptionSection
from search_spaces.schema.diagnosis_section import DiagnosisSection
from search_spaces.schema.racing_section import RacingSection
from search_spaces.schema.surface_groups import SurfaceGroup
from search_spaces.schema.training_axes import FineTuningAxes, ListAxis, TrainingAxes, needs_epochs
from workers.registry import DATASETS, MODELS, REGISTRIES
from workers.settings import Frozen
from workers.spec.compatibility import (
    AUGMENTATIONS,
    require_attackable,
    require_augmentable,
    require_binary_draws,
    require_binary_form,
    require_binary_init,
    require_checkpoint,
    require_defensible,
    require_fitting,
    require_mixable,
)
from workers.spec.component import DataSpec, require_same_kind
from workers.spec.corruption import require_corruptible
from workers.spec.fields import (
    AllZero,
    Count,
    Draws,
    ExecutionChoice,
    Factorization,
    HeldOut,
    Index,
    Initialisation,
    Normalisation,
    OpenShare,
    Prefixes,
    RankFraction,
    RankFractions,
    RankKind,
    SketchModes,
    SplitName,
    Theta,
)
from workers.spec.job import MeasuringSettings, ModelSpec
from workers.spec.step_settings import IsNumber
from workers.spec.training import TrainingSpec
from workers.weights.place import WeightsPlace

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
Fractions = Annotated[tuple[RankFraction, ...], BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)]
Section = Annotated[T, BeforeValidator(_mapping)]
WrittenHeldOut = Annotated[HeldOut, IsNumber("float")]


class DataAxes(ComponentAxes):
    """The axes of `DataSpec`."""

    registry: ClassVar = DATASETS

    name: Axis[Annotated[str, AfterValidator(known(DATASETS))]]
    train_examples: Axis[Count | None] = ()
    validation_examples: Axis[WrittenHeldOut] = ()
    extra: Axis[Annotated[str, AfterValidator(known(DATASETS))] | None] = ()
    extra_share: Axis[OpenShare] = ()

    @field_validator("extra")
    @classmethod
    def _is_of_the_same_kind(cls, values: tuple[str | None, ...], info: ValidationInfo) -> tuple[str | None, ...]:
        for name, extra in product(info.data.get("name", ()), filter(None, values)):
            require_same_kind(name, extra)
        return values


class ModelAxes(ComponentAxes):
    """The axes of `ModelSpec`. `stage_rank_fractions`, one for each stage after the first convolution, are a short way to write
    `rank_fractions` for networks that have such stages."""

    registry: ClassVar = MODELS
    default: ClassVar = ModelSpec().name

    name: Axis[Annotated[str, AfterValidator(known(MODELS))]] = ()
    tensorized: Axis[bool] = ()
    factorization: Axis[Factorization] = ()
    rank_fraction: Axis[RankFraction] = ()
    rank_kind: Axis[RankKind] = ()
    rank_fractions: Axis[RankFractions | None] = ()
    stage_rank_fractions: ListAxis[Fractions | None] = ()
    tensorize_first: Axis[bool] = ()
    tensorize_linear: Axis[bool] = ()
    tensorize_attention: Axis[bool] = ()
    tensorize_transposed: Axis[bool] = ()
    execution: Axis[ExecutionChoice] = ()
    theta: Axis[Theta] = ()
    sketch_modes: Axis[SketchModes] = ()
    rescale: Axis[bool] = ()
    all_zero: Axis[AllZero] = ()
    draws: Axis[Draws] = ()
    binary: Axis[bool] = ()
    init: Axis[Initialisation] = ()
    normalisation: Axis[Normalisation] = ()
    weights: Axis[str | None] = ()
    weights_map: Axis[Prefixes | None] = ()

    @field_validator("weights")
    @classmethod
    def _are_there(cls, values: tuple[str | None, ...], info: ValidationInfo) -> tuple[str | None, ...]:
        """Look for the files, relative to the folder in the validation's context; without one nothing is looked for."""
        folder = (info.context or {}).get("folder")
        for written in values:
            if written is not None and folder is not None:
                try:
                    WeightsPlace(written, folder).check()
                except ValueError as error:
                    raise ValueError(f"{written}: {error}") from None
        return values

    @field_validator("weights_map")
    @classmethod
    def _there_are_weights(cls, values: Any, info: ValidationInfo) -> Any:
        if any(values) and not any(info.data.get("weights", ())):
            raise ValueError("has no effect without weights")
        return values

    @field_validator("stage_rank_fractions")
    @classmethod
    def _there_are_such_stages(cls, values: Any, info: ValidationInfo) -> Any:
        for name in info.data.get("name") or (cls.default,):
            stages = MODELS[name].facts.stages
            for fractions in values:
                if fractions is not None and len(fractions) != len(stages):
                    count = f"must be {len(stages)} numbers, one for each stage after the first convolution of {name}"
                    raise ValueError(count if stages else f"model {name} names no stages; use rank_fractions, by patterns of layer names")
        return values

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

    @field_validator("binary")
    @classmethod
    def _there_is_a_binary_form(cls, values: tuple[bool, ...], info: ValidationInfo) -> tuple[bool, ...]:
        if True in values:
            for name in info.data.get("name") or (cls.default,):
                require_binary_form(name)
        return values

    @field_validator("init")
    @classmethod
    def _signs_are_not_decomposed(cls, values: tuple[Initialisation, ...], info: ValidationInfo) -> tuple[Initialisation, ...]:
        if True in info.data.get("binary", ()):
            for init in values:
                require_binary_init(init)
        return values

    def points(self) -> Iterator[dict[str, Any]]:
        for point in super().points():
            by_stage = point.pop("stage_rank_fractions", None)
            stages = MODELS[point.get("name", ModelSpec().name)].facts.stages
            yield point if by_stage is None else {**point, "rank_fractions": dict(zip(stages, by_stage, strict=True))}


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
    attacks: Annotated[tuple[AttackGroup, ...], BeforeValidator(_groups)] = ()
    diagnosis: DiagnosisSection | None = None
    surfaces: Annotated[tuple[SurfaceGroup, ...], BeforeValidator(_groups)] = ()
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


_SECTIONS: dict[str, type[Frozen]] = {
    "data": DataAxes,
    "model": ModelAxes,
    "defence": DefenceAxes,
    "training": TrainingAxes,
    "fine_tuning": FineTuningAxes,
    "evaluation": EvaluationSettings,
    "attacks": AttackGroup,
    "diagnosis": DiagnosisSection,
    "surfaces": SurfaceGroup,
    "corruptions": CorruptionSection,
    "racing": RacingSection,
}
SECTION_NAMES = tuple(_SECTIONS)
LISTS: dict[str, str] = {"attacks": "attack group", "surfaces": "surface group"}
"""The sections that are lists, and what they are lists of."""


def sections() -> dict[str, type[Frozen]]:
    """The sections of a space with the settings of every component that is registered now."""
    return _sections(_registered())


def grid_type() -> type[Grid]:
    """The type of grids with the settings of every component that is registered now."""
    return _grid_type(_registered())


def _registered() -> tuple[int, ...]:
    return tuple(registry.version for registry in REGISTRIES.values())


@lru_cache(maxsize=2)
def _sections(registered: tuple[int, ...]) -> dict[str, type[Frozen]]:  # noqa: ARG001 (the cache's key)
    return {name: with_own_settings(section) if issubclass(section, ComponentAxes) else section for name, section in _SECTIONS.items()}


@lru_cache(maxsize=2)
def _grid_type(registered: tuple[int, ...]) -> type[Grid]:
    found: dict[str, Any] = dict(_sections(registered))
    group: Any = found["attacks"]
    section: Any = Section
    optional = {name: (section[found[name]], found[name]()) for name in ("defence", "fine_tuning")}
    fields: dict[str, Any] = {
        "data": (found["data"], ...),
        "model": (section[found["model"]], Field(default=found["model"](), validate_default=True)),
        "training": (found["training"], Field(default=(), validate_default=True)),
        "attacks": (Annotated[tuple[group, ...], BeforeValidator(_groups)], ()),
        **optional,
    }
    ordered = {name: fields[name] for name in Grid.model_fields if name in fields}
    return create_model("Grid", __base__=Grid, __module__=Grid.__module__, **ordered)
