"""Axes of data sets and of models."""

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, field_validator

from search_spaces.schema.axes import Axis, axes_of
from search_spaces.schema.component_axes import ComponentAxes, known
from search_spaces.schema.training_axes import ListAxis
from workers.registry import DATASETS, MODELS
from workers.spec.compatibility import require_binary_draws, require_binary_form, require_binary_init
from workers.spec.component import require_same_kind
from workers.spec.fields import Count, Draws, HeldOut, Initialisation, OpenShare, RankFraction
from workers.spec.model import ModelSpec
from workers.spec.step_settings import IsNumber
from workers.weights.place import WeightsPlace

Fractions = Annotated[tuple[RankFraction, ...], BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)]


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


@axes_of(ModelSpec, name=Axis[Annotated[str, AfterValidator(known(MODELS))]], stage_rank_fractions=ListAxis[Fractions | None])
class ModelAxes(ComponentAxes):
    """The axes of `ModelSpec`. `stage_rank_fractions`, one for each stage after the first convolution, are a short way to write
    `rank_fractions` for networks that have such stages."""

    registry: ClassVar = MODELS
    default: ClassVar = ModelSpec().name

    @field_validator("weights", check_fields=False)
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

    @field_validator("weights_map", check_fields=False)
    @classmethod
    def _there_are_weights(cls, values: Any, info: ValidationInfo) -> Any:
        if any(values) and not any(info.data.get("weights", ())):
            raise ValueError("has no effect without weights")
        return values

    @field_validator("stage_rank_fractions", check_fields=False)
    @classmethod
    def _there_are_such_stages(cls, values: Any, info: ValidationInfo) -> Any:
        for name in info.data.get("name") or (cls.default,):
            stages = MODELS[name].facts.stages
            for fractions in values:
                if fractions is not None and len(fractions) != len(stages):
                    count = f"must be {len(stages)} numbers, one for each stage after the first convolution of {name}"
                    raise ValueError(count if stages else f"model {name} names no stages; use rank_fractions, by patterns of layer names")
        return values

    @field_validator("theta", check_fields=False)
    @classmethod
    def _dense_is_not_sketched(cls, values: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        sketched = [theta for theta in values if theta < 1]
        if sketched and False in info.data.get("tensorized", ()):
            raise ValueError(f"theta={sketched[0]:g} with tensorized=false: a dense model has no sketch; use theta 1.0 for dense")
        return values

    @field_validator("draws", check_fields=False)
    @classmethod
    def _spatial_modes_have_one_draw(cls, values: tuple[Draws, ...], info: ValidationInfo) -> tuple[Draws, ...]:
        if "example" in values and "all" in info.data.get("sketch_modes", ()):
            raise ValueError("draws=example with sketch_modes=all: only the channel modes can be drawn per example")
        return values

    @field_validator("binary", check_fields=False)
    @classmethod
    def _is_drawn_once_a_batch(cls, values: tuple[bool, ...], info: ValidationInfo) -> tuple[bool, ...]:
        if True in values:
            for draws in info.data.get("draws", ()):
                require_binary_draws(draws)
        return values

    @field_validator("binary", check_fields=False)
    @classmethod
    def _there_is_a_binary_form(cls, values: tuple[bool, ...], info: ValidationInfo) -> tuple[bool, ...]:
        if True in values:
            for name in info.data.get("name") or (cls.default,):
                require_binary_form(name)
        return values

    @field_validator("init", check_fields=False)
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
