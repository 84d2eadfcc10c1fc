"""Signatures of components: what we call them with, by position; everything after the `*` is a setting, or given where it is named."""

import inspect
from collections.abc import Callable
from typing import Any

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
