"""Closed values; the signature of a component's factory, and the settings that it declares. Imports no torch."""

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def require_signature(create: Callable[..., Any], *, name: str, given: tuple[tuple[str, ...], ...]) -> None:
    """Check that a component can be called as we call it.

    Args:
        create: a function, or a class, of which `__init__` counts.
        name: of the component.
        given: what it may be called with by position: one of these.

    Raises:
        TypeError: it cannot; the message says how it must begin.
    """
    if not callable(create):
        raise TypeError(f"{name}: is {type(create).__name__}, must be a function or a class")
    parameters = list(inspect.signature(create).parameters.values())
    places = [parameter for parameter in parameters if parameter.kind in _BY_POSITION]
    needed = sum(parameter.default is inspect.Parameter.empty for parameter in places)
    several = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
    if any(needed <= len(names) and (several or len(places) >= len(names)) for names in given):
        spare = next((parameter for parameter in places[min(map(len, given)) :] if parameter.default is not inspect.Parameter.empty), None)
        if spare is not None and all(len(places) > len(names) for names in given):
            raise TypeError(f"{name}: parameter {spare.name} stands before the *; settings stand after it: (..., *, {spare.name}, ...)")
        return
    legal = " or ".join(f"({', '.join((*names, '*'))}, ...)" for names in given)
    raise TypeError(f"{name}: takes ({', '.join(parameter.name for parameter in places)}) by position, must take {legal}")


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
        TypeError: a parameter has no type, takes any number of keywords, or has a name that no setting can have.
    """
    declared = [parameter for parameter in inspect.signature(factory).parameters.values() if parameter.name not in given_by_us]
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in declared):
        raise TypeError(f"{name}: takes **keywords; name every setting, with its type, after a *")
    own = [parameter for parameter in declared if parameter.kind is inspect.Parameter.KEYWORD_ONLY]
    if taken := next((parameter.name for parameter in own if hasattr(Settings, parameter.name) or parameter.name.startswith("_")), None):
        raise TypeError(f"{name}: no setting can be called {taken}; rename it")
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
