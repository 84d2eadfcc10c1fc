"""Axes: the settings that may vary in a space. Every axis takes one value or a list; equal values are merged, the order is kept."""

from collections.abc import Callable, Iterator
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, PlainValidator, create_model
from pydantic.fields import FieldInfo

from workers.components.settings import Frozen
from workers.spec.fields import positive_fraction
from workers.spec.step_settings import IsNumber, written

T = TypeVar("T")
RANGE_KEYS = frozenset({"min", "max", "step", "log", "values", "when"})


def no_range(value: object) -> None:
    """Check that an axis is given values, not a range: a search has replaced its ranges by values before this point.

    Raises:
        ValueError: the value is a range.
    """
    if isinstance(value, dict) and value.keys() & RANGE_KEYS:
        raise ValueError("a range is allowed here only with method: optuna, and not in surfaces")


def _as_tuple(value: object) -> object:
    no_range(value)
    if isinstance(value, list | tuple):
        return tuple(value)
    return (value,)


def merged(values: tuple[T, ...]) -> tuple[T, ...]:
    """Return an axis's values, each once, in order."""
    if not values:
        raise ValueError("must name at least one value")
    return tuple(dict.fromkeys(values))


def _literal(value: object) -> str:
    literal = written(value)
    positive_fraction(literal)
    return literal


Axis = Annotated[tuple[T, ...], BeforeValidator(_as_tuple), AfterValidator(merged)]
PositiveLiteral = Annotated[str, PlainValidator(_literal), IsNumber("literal")]


def named_fields(section: type[BaseModel]) -> dict[str, str]:
    """Return a section's fields by their names in a space, which differ where a component's setting is called as an attribute of ours."""
    return {found.alias or field: field for field, found in section.model_fields.items()}


class AxisSection(Frozen):
    """A section of axes. An axis that is left out is `()`: it does not vary and keeps its spec's default."""

    if TYPE_CHECKING:  # axes of a spec are added at run time

        def __getattr__(self, name: str) -> tuple[Any, ...]: ...

    @property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """The values of the axes that are given."""
        return {name: values for name, field in named_fields(type(self)).items() if (values := getattr(self, field))}

    @property
    def size(self) -> int:
        """Number of `points`."""
        return sum(prod(map(len, axes.values())) for axes in self._products())

    def points(self) -> Iterator[dict[str, Any]]:
        """Every combination of the axes that are given, as keyword arguments for a spec."""
        for axes in self._products():
            for combination in product(*axes.values()):
                yield dict(zip(axes, combination, strict=True))

    def _products(self) -> Iterator[dict[str, tuple[Any, ...]]]:
        """Yield axes all of whose combinations are points."""
        yield self.axes


S = TypeVar("S", bound=AxisSection)


def axes_of(spec: type[BaseModel], **others: Any) -> Callable[[type[S]], type[S]]:
    """Decorate a section with an axis for each setting of a spec, in its order, and for the `others`, whose types are given."""
    of_any: Any = Axis
    types = {name: of_any[declared(field)] for name, field in spec.model_fields.items() if name != "settings"} | others

    def with_axes(section: type[S]) -> type[S]:
        fields: dict[str, Any] = {name: (of_axis, ()) for name, of_axis in types.items()}
        return create_model(section.__name__, __base__=section, __module__=section.__module__, __doc__=section.__doc__, **fields)

    return with_axes


def declared(field: FieldInfo) -> Any:
    """Return a field's type with its validators."""
    annotated: Any = Annotated
    return annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
