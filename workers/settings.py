"""Closed values, and the settings of a component as its factory declares them. Imports no torch."""

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model


class Frozen(BaseModel):
    """A closed, immutable value: an unknown key, a wrong type or a number out of range is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Settings(Frozen):
    """A component's own settings; this one has none. Defaults are validated too: some depend on what the validation knows."""

    model_config = ConfigDict(validate_default=True)


class OpaqueSettings(Settings):
    """Settings of a component that is not installed here: shown as they are stored, never run."""

    model_config = ConfigDict(extra="allow")

    def __hash__(self) -> int:
        return hash(self.model_dump_json())


def settings_of(factory: Callable[..., Any], *, name: str, given_by_us: frozenset[str]) -> type[Settings]:
    """The settings of a component: the typed keyword-only parameters of its factory, except those that we give it.

    Args:
        factory: a function, or a class with such parameters in its `__init__`.
        name: of the component.
        given_by_us: the parameters that are no settings.

    Raises:
        TypeError: a parameter has no type, or takes any number of keywords.
    """
    declared = [parameter for parameter in inspect.signature(factory).parameters.values() if parameter.name not in given_by_us]
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in declared):
        raise TypeError(f"{name}: takes **keywords; name every setting, with its type, after a *")
    own = [parameter for parameter in declared if parameter.kind is inspect.Parameter.KEYWORD_ONLY]
    fields = {parameter.name: (_annotation(factory, parameter, name), _default(parameter)) for parameter in own}
    return create_model(f"{name}_settings", __base__=Settings, __module__=factory.__module__, **fields) if fields else Settings  # type: ignore[call-overload]


def _default(parameter: inspect.Parameter) -> Any:
    return ... if parameter.default is inspect.Parameter.empty else parameter.default


def _annotation(factory: Callable[..., Any], parameter: inspect.Parameter, name: str) -> Any:
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty:
        raise TypeError(f"{name}: parameter {parameter.name} has no type; write {parameter.name}: int = ..., say")
    if not isinstance(annotation, str):
        return annotation
    # Only this one: others may name types that are imported for type checking alone.
    namespace = inspect.unwrap(factory).__init__.__globals__ if inspect.isclass(factory) else inspect.unwrap(factory).__globals__
    holder = type("holder", (), {"__annotations__": {parameter.name: annotation}})
    return get_type_hints(holder, globalns=namespace, include_extras=True)[parameter.name]
