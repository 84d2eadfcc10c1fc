"""Components by reference, `scheme:NAME`: those of a library or a folder, which are not registered one by one. Imports no torch.

A scheme is one module, `workers/<kind>/schemes/<scheme>.py`, with two functions: `names()`, the names after the colon that it knows here
(empty where what it needs is missing, or where any name may do), and `resolve(name)`, the component of that name. A scheme whose components
all have the same settings names one of them in `EXAMPLE`, so that these settings are known before any component is asked for.
"""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Generic, Protocol, TypeVar, cast

F = TypeVar("F")


@dataclass(frozen=True)
class Referenced(Generic[F]):
    """Component of a scheme, before it has settings: its factory, whose keyword-only parameters they are, and its facts."""

    create: Callable[..., Any]
    facts: F


class RefusedError(ValueError):
    """A library has the component, and it does not work here; no other name was meant."""


class Scheme(Protocol):
    """Module of a scheme."""

    def names(self) -> tuple[str, ...]:
        """Names after the colon that are known here, sorted."""

    def resolve(self, name: str) -> Referenced[Any]:
        """Component of that name.

        Raises:
            ValueError: there is none, or what the scheme needs is not installed; the message says which, without the reference.
        """


def scheme_of(reference: str) -> str:
    """Scheme of a reference; empty where a name is none."""
    scheme, colon, name = reference.partition(":")
    return scheme if colon and name else ""


@cache
def schemes(package: str) -> dict[str, Scheme]:
    """Schemes of a kind of components by their names, sorted; `package` is the one whose modules register ours."""
    if find_spec(f"{package}.schemes") is None:
        return {}
    listed = sorted(module.name for module in pkgutil.iter_modules(import_module(f"{package}.schemes").__path__) if not module.ispkg)
    return {name: cast("Scheme", import_module(f"{package}.schemes.{name}")) for name in listed if not name.startswith("_")}


def examples(package: str) -> tuple[str, ...]:
    """References to one component of each scheme that names an example."""
    named = ((name, getattr(scheme, "EXAMPLE", "")) for name, scheme in schemes(package).items())
    return tuple(f"{name}:{example}" for name, example in named if example)


def resolved(package: str, reference: str) -> Referenced[Any]:
    """Component that a reference of a scheme of this package names.

    Raises:
        ValueError: the scheme has none of that name; the message says why, and names the closest.
    """
    scheme, _, name = reference.partition(":")
    found = schemes(package)[scheme]
    try:
        return found.resolve(name)
    except RefusedError:
        raise
    except ValueError as error:
        close = get_close_matches(name, found.names(), n=1)
        meant = f" (did you mean {scheme}:{close[0]}?)" if close else ""
        raise ValueError(f"{error}{meant}") from error
