"""Samplers of OptunaHub by name, which its package fetches once and keeps in its cache."""

import inspect
import warnings
from functools import lru_cache
from importlib.util import find_spec
from typing import TypeGuard

from optuna.samplers import BaseSampler

from search_spaces import HUB
from workers.errors import UserError, first_line


def hub_sampler(name: str, *, seed: int) -> BaseSampler:
    """Return a new sampler of the class that a space names, with the seed where it takes one.

    Raises:
        UserError: it cannot be had, or needs settings of its own.
    """
    kind = sampler_class(name)
    seeded = {"seed": seed} if "seed" in inspect.signature(kind).parameters else {}
    try:
        return kind(**seeded)
    except TypeError as error:
        raise UserError(f"search.sampler {name}: cannot be made without settings of its own: {first_line(error)}") from None


@lru_cache
def sampler_class(name: str) -> type[BaseSampler]:
    """Return the class that `optunahub:NAME` names, the only sampler of that package; `optunahub:NAME:CLASS` where it has several.

    Raises:
        UserError: optunahub is not installed, the package cannot be fetched, or has no such class.
    """
    package, _, named = name.removeprefix(HUB).partition(":")
    if find_spec("optunahub") is None:
        raise UserError(f"search.sampler {name}: needs the package optunahub; pip install 'robustsweep[optunahub]'")
    import optunahub

    try:
        with warnings.catch_warnings(action="ignore"):
            module = optunahub.load_module(f"samplers/{package}")
    except Exception as error:  # of git, of the network, or of the package's own imports
        raise UserError(f"search.sampler {name}: cannot be had from OptunaHub: {type(error).__name__}: {first_line(error)}") from None
    held = {one: getattr(module, one, None) for one in getattr(module, "__all__", vars(module))}
    found = {one: kind for one, kind in held.items() if _is_sampler(kind)}
    if named not in found and (named or len(found) != 1):
        written = ", ".join(f"{HUB}{package}:{one}" for one in sorted(found)) or "it has none"
        raise UserError(f"search.sampler {name}: must name one of the package's samplers: {written}")
    return found[named or next(iter(found))]


def _is_sampler(found: object) -> TypeGuard[type[BaseSampler]]:
    return isinstance(found, type) and issubclass(found, BaseSampler) and not inspect.isabstract(found)
