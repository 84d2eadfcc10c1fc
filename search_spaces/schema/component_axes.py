"""Sections that name components: their own settings are axes too, taken from the registry."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, ClassVar, TypeVar, Union

from pydantic import AfterValidator, Field, ValidationInfo, create_model, field_validator

from search_spaces.schema.axes import Axis, AxisSection, declared
from workers.components.component_registry import Component, Registry
from workers.errors import UserError
from workers.registry import DEFENCES

A = TypeVar("A", bound="ComponentAxes")


def known(registry: Registry[Any]) -> Callable[[str], str]:
    """Return a validator of names of components."""

    def check(name: str) -> str:
        try:
            return registry[name].name
        except ValueError as error:
            raise ValueError(str(error).partition(": ")[2]) from None

    return check


class ComponentAxes(AxisSection):
    """The axes of a section that names components in the axis `named_by`: its own, and those that the components declare.

    A setting that a component does not have applies to the others of the section; one that none of them has is a mistake.
    """

    registry: ClassVar[Registry[Any]]
    named_by: ClassVar[str] = "name"
    default: ClassVar[str | None] = None
    own: ClassVar[frozenset[str]] = frozenset()

    @field_validator("*")
    @classmethod
    def _is_used(cls, values: Any, info: ValidationInfo) -> Any:
        setting = cls.model_fields[str(info.field_name)].alias or info.field_name
        if setting in cls.own and values != ():
            names = info.data.get(cls.named_by) or (() if cls.default is None else (cls.default,))
            if names and not any(setting in cls.registry[name].settings.model_fields for name in names):
                raise ValueError(f"{cls.registry.kind} {names[0]} has no {setting}; leave {setting} out")
        return values

    @property
    def components(self) -> tuple[Component[Any], ...]:
        """The components that the section names."""
        names = getattr(self, self.named_by) or (() if self.default is None else (self.default,))
        return tuple(self.registry[name] for name in names)

    def _products(self) -> Iterator[dict[str, tuple[Any, ...]]]:
        """Yield the axes of each component: a setting only with components that have it."""
        given = {name: values for name, values in self.axes.items() if name != self.named_by}
        for component in self.components or (None,):
            named = {self.named_by: (component.name,)} if component is not None and getattr(self, self.named_by) else {}
            yield named | {name: values for name, values in given.items() if component is None or self._applies(name, component)}

    def _applies(self, name: str, component: Component[Any]) -> bool:
        return name not in self.own or name in component.settings.model_fields


def with_own_settings(section: type[A]) -> type[A]:
    """The section with an axis for every setting of every component of its registry, those by reference that were asked for included.

    Raises:
        UserError: a component's setting has the name of one that the section has anyway.
    """
    types: dict[str, list[Any]] = {}
    for component in section.registry.known():
        for name, field in component.settings.model_fields.items():
            if name in section.model_fields:
                raise UserError(f"{section.registry.kind} {component.name}: every {section.registry.kind} has a setting {name}; rename it")
            written = declared(field)
            types[name] = [*types.get(name, []), *([] if written in types.get(name, []) else [written])]
    fields: dict[str, Any] = {}
    for name, found in types.items():
        is_taken = hasattr(section, name)
        fields[f"{name}__own" if is_taken else name] = (_axis(found), Field(default=(), alias=name if is_taken else None))
    made = create_model(section.__name__, __base__=section, __module__=section.__module__, **fields)
    made.own = frozenset(types)
    return made


def _axis(types: list[Any]) -> Any:
    """The type of an axis whose values have one of several types."""
    of_any: Any = Axis
    return of_any[Union[tuple(types)]]  # noqa: UP007 (made at run time)


class DefenceAxes(ComponentAxes):
    """The axes of `DefenceSpec`; a setting has an effect, and makes jobs, with its own defence only."""

    registry: ClassVar = DEFENCES
    default: ClassVar = "none"

    name: Axis[Annotated[str, AfterValidator(known(DEFENCES))]] = ()
