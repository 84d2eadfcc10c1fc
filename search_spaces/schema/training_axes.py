"""The axes of training and fine-tuning."""

import re
from fractions import Fraction
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import PydanticKnownError

from search_spaces.schema.axes import Axis, T, axes_of, merged, no_range
from search_spaces.schema.component_axes import ComponentAxes, known
from workers.registry import LOSSES
from workers.spec.fields import Count, Recipe, epsilon_fraction, fraction
from workers.spec.recipes import RECIPES
from workers.spec.step_settings import written
from workers.spec.training import TrainingSpec

_NUMBER = re.compile(r"[0-9./e-]{1,20}")
_PAIR = 2


def lists(value: object) -> object:
    """Return the values of an axis of lists: one list is one value; a list of lists is several."""
    for item in value if isinstance(value, list) else (value,):
        no_range(item)
    if isinstance(value, list) and any(isinstance(item, list) for item in value):
        return tuple(value)
    return (value,)


def _milestones(value: object) -> tuple[int | str, ...]:
    if isinstance(value, list | tuple):
        return tuple(_milestone(item) for item in value)
    raise ValueError("must be a list, such as [150, 250] or [150/350, 250/350]")


def _milestone(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    literal = written(value)
    if not 0 < fraction(literal) < 1:
        raise ValueError("each must be an epoch >= 1 or a share in (0, 1), such as 150/350")
    return literal


def _epsilon_range(value: object) -> tuple[str, str]:
    low, high = (epsilon_fraction(written(end)) for end in _ends(value))
    return _ascending(low, high, (str(low), str(high)))


def _count_range(value: object) -> tuple[int, int]:
    low, high = _ends(value)
    if not (isinstance(low, int) and isinstance(high, int)) or isinstance(low, bool) or isinstance(high, bool) or low < 1:
        raise ValueError("must be [low, high], whole numbers >= 1")
    return _ascending(low, high, (low, high))


def _ends(value: object) -> tuple[object, object]:
    if not isinstance(value, list | tuple) or len(value) != _PAIR:
        example = f", such as [{value}, {value}]" if _NUMBER.fullmatch(str(value)) else ""
        raise ValueError(f"must be [low, high]{example}")
    return value[0], value[1]


def _ascending(low: Fraction | int, high: Fraction | int, ends: tuple[T, T]) -> tuple[T, T]:
    if low > high:
        raise ValueError("must be [low, high], low <= high")
    return ends


ListAxis = Annotated[tuple[T, ...], BeforeValidator(lists), AfterValidator(merged)]
WrittenMilestones = Annotated[tuple[int | str, ...], PlainValidator(_milestones)]
WrittenEpsilonRange = Annotated[tuple[str, str], PlainValidator(_epsilon_range)]
WrittenCountRange = Annotated[tuple[int, int], PlainValidator(_count_range)]


@axes_of(
    TrainingSpec,
    loss=Axis[Annotated[str, AfterValidator(known(LOSSES))]],
    milestones=ListAxis[WrittenMilestones],
    adversarial_epsilon=ListAxis[WrittenEpsilonRange],
    adversarial_steps=ListAxis[WrittenCountRange],
)
class FineTuningAxes(ComponentAxes):
    """The axes of `TrainingSpec` for theta < 1; one that is left out takes the value of `training`."""

    registry: ClassVar = LOSSES
    named_by: ClassVar = "loss"

    @field_validator("milestones", check_fields=False)
    @classmethod
    def _are_reached(cls, values: tuple[tuple[int | str, ...], ...], info: ValidationInfo) -> tuple[tuple[int | str, ...], ...]:
        latest = max((item for value in values for item in value if isinstance(item, int)), default=0)
        epochs = min(info.data.get("epochs") or (latest + 1,))
        if latest >= epochs:
            raise ValueError(f"epoch {latest} is never reached with epochs={epochs}; shares, such as 150/350, always are")
        return values


class TrainingAxes(FineTuningAxes):
    """The axes of `TrainingSpec`; one that is left out is the recipe's. The recipe custom has no number of epochs: it must be given."""

    default: ClassVar = "cross_entropy"

    epochs: Axis[Count] = Field(default=(), validate_default=True)

    @field_validator("epochs", mode="wrap")
    @classmethod
    def _are_known(cls, value: object, validated: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        if value != ():
            return validated(value)
        if "recipe" in info.data and needs_epochs(info.data["recipe"]):
            raise PydanticKnownError("missing")
        return ()


def needs_epochs(recipes: tuple[Recipe, ...]) -> bool:
    """Tell whether one of the recipes (none: custom) leaves the number of epochs to the space."""
    return any("epochs" not in settings for recipe in recipes or ("custom",) for settings in RECIPES[recipe].values())
