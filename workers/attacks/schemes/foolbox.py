"""`foolbox:NAME`: the attacks of Foolbox 3 (Rauber et al., 2020), with their constructor's parameters as settings.

Foolbox is imported when one is asked for. What a constructor does not say is stated here: the facts of each class, and the reasons why
some cannot be had.
"""

from __future__ import annotations

import inspect
import re
import warnings
from functools import cache
from importlib import import_module
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from workers.components.facts import AttackFacts
from workers.components.references import Referenced, RefusedError
from workers.spec.fields import Count, NonNegative
from workers.spec.step_settings import OptionalStepsize

if TYPE_CHECKING:
    from torch import Tensor

    from workers.attacks.engine.problem import Problem

_REFUSED = {
    "BinarizationRefinementAttack": "it refines the points of another attack",
    "DatasetAttack": "it takes its points from other examples, and is given none",
    "GenAttack": "it only makes for a given class; query attacks that need none: square, foolbox:HopSkipJumpAttack",
    "SpatialAttack": "it turns and shifts images, which keeps them in no norm's ball",
    **dict.fromkeys(
        [f"{norm}BrendelBethgeAttack" for norm in ("L0", "L1", "L2", "Linfinity")], "its solver needs numba, which is not installed with us"
    ),
}
_DESCENTS = ("BasicIterativeAttack", "AdamBasicIterativeAttack", "ProjectedGradientDescentAttack", "AdamProjectedGradientDescentAttack")
_FACTS: dict[str, str] = {
    **dict.fromkeys((*_DESCENTS, "MomentumIterativeFastGradientMethod"), "gradients starts targets"),
    "FastGradientAttack": "gradients starts one_step",
    "VirtualAdversarialAttack": "gradients draws",
    "ContrastReductionAttack": "one_step",
    "AdditiveGaussianNoiseAttack": "draws one_step",
    "AdditiveUniformNoiseAttack": "draws one_step",
    "ClippingAwareAdditiveGaussianNoiseAttack": "draws one_step",
    "ClippingAwareAdditiveUniformNoiseAttack": "draws one_step",
    "RepeatedAdditiveGaussianNoiseAttack": "draws selects targets",
    "RepeatedAdditiveUniformNoiseAttack": "draws selects targets",
    "ClippingAwareRepeatedAdditiveGaussianNoiseAttack": "draws selects targets",
    "ClippingAwareRepeatedAdditiveUniformNoiseAttack": "draws selects targets",
    "CarliniWagnerAttack": "gradients targets",
    "DDNAttack": "gradients draws targets",
    "DeepFoolAttack": "gradients",
    "FMNAttack": "gradients targets",
    "NewtonFoolAttack": "gradients",
    "BinarySearchContrastReductionAttack": "targets",
    "BoundaryAttack": "draws targets",
    "GaussianBlurAttack": "targets",
    "HopSkipJumpAttack": "draws targets",
    "InversionAttack": "",
    "LinearSearchBlendedUniformNoiseAttack": "draws targets",
    "LinearSearchContrastReductionAttack": "targets",
    "PointwiseAttack": "draws targets",
    "SaltAndPepperNoiseAttack": "draws targets",
}
"""Facts of Foolbox's classes, without the norm before their names: they take gradients, start at random where a setting says so (`starts`),
draw always, take one step, choose between points by single evaluations, take targets. All minimum-norm attacks choose so."""
_GIVEN = frozenset({"channel_axis", "constraint", "distance", "init_attack", "tensorboard"})
"""Parameters that follow from the norm and the inputs, or are other attacks or files: no settings."""
_UNUSED = {"FMNAttack": ("binary_search_steps",)}
"""Parameters that do nothing without those."""
_TYPES: dict[str, Any] = {"abs_stepsize": OptionalStepsize}
"""Types of settings that say more than Foolbox's: in input units, so that 1/255 will do."""
_RENAMED = {"target": "contrast_target"}
"""Parameters whose names mean something else for every attack."""


@cache
def _named() -> dict[str, type]:
    """Foolbox's attack classes by all their names, sorted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports a name that SciPy will drop
        attacks: Any = import_module("foolbox.attacks")
    found = {name: kind for name, kind in vars(attacks).items() if inspect.isclass(kind) and issubclass(kind, attacks.Attack)}
    return {name: kind for name, kind in sorted(found.items()) if kind is not attacks.Attack}


def _classes() -> dict[str, type]:
    """Foolbox's attack classes by their own names, with those that cannot be had."""
    return {name: kind for name, kind in _named().items() if name == kind.__name__}


def _aliases() -> dict[str, str]:
    """Foolbox's other names of its classes, with their own."""
    return {name: kind.__name__ for name, kind in _named().items() if name != kind.__name__}


def names() -> tuple[str, ...]:
    """The attacks that can be named."""
    return tuple(name for name in _classes() if _refusal(name) is None)


def resolve(name: str) -> Referenced[AttackFacts]:
    """Foolbox's attack of that name.

    Raises:
        ValueError: it has none, or one that does not work here; the message says why.
    """
    if (reason := _refusal(name)) is not None:
        raise RefusedError(reason)
    if name not in names():
        raise ValueError("Foolbox has no such attack")
    kind = _classes()[name]
    renamed = {setting: parameter for parameter, setting in _RENAMED.items()}

    def create(problem: Problem, **own: Any) -> Tensor:
        from workers.attacks.engine.foolbox_backend import library_attack

        return library_attack(problem, kind, {renamed.get(setting, setting): value for setting, value in own.items()})

    create.__doc__ = _summary(inspect.getdoc(kind) or "") or f"Foolbox's {name}."
    create.__signature__ = _signature(kind)  # type: ignore[attr-defined]
    return Referenced(create, _facts(name, kind))


def _refusal(name: str) -> str | None:
    """The reason why an attack of Foolbox's cannot be had by this name; None where it can, or where there is none."""
    if name in _REFUSED:
        return f"not here: {_REFUSED[name]}"
    if (kind := _classes().get(name)) is None:
        return f"Foolbox's other name of foolbox:{_aliases()[name]}; write that" if name in _aliases() else None
    if not _norms(kind):
        return f"not here: its distance is the {kind.distance}, and the norms are l2, linf"  # type: ignore[attr-defined]
    return None if _stem(name) in _FACTS else "not here: nothing is known of it"


def _stem(name: str) -> str:
    """A class's name without the norm before it."""
    return next((name.removeprefix(norm) for norm in ("Linf", "LInf", "L0", "L1", "L2") if name.startswith(norm)), name)


def _norms(kind: Any) -> tuple[str, ...]:
    """The norms of a class: its distance's, or both where that is to be chosen; none where there is no such norm here."""
    from foolbox.attacks.base import FlexibleDistanceMinimizationAttack

    if issubclass(kind, FlexibleDistanceMinimizationAttack) or "constraint" in inspect.signature(kind).parameters:
        return ("l2", "linf")
    distance = kind.distance if not isinstance(kind.distance, property) else kind().distance
    return tuple(norm for norm, p in (("l2", 2), ("linf", float("inf"))) if distance.p == p)


def _facts(name: str, kind: Any) -> AttackFacts:
    from foolbox.attacks.base import MinimizationAttack

    said, minimises = _FACTS[_stem(name)].split(), issubclass(kind, MinimizationAttack)
    return AttackFacts(
        norms=_norms(kind),
        takes_gradients="gradients" in said,
        random_start="draws" in said or "starts" in said,
        selects=minimises or "selects" in said,
        loss="margin" if minimises else "ce",
        one_step="one_step" in said,
        minimises=minimises,
        untargeted="targets" not in said,
        library=True,
    )


def _signature(kind: type) -> inspect.Signature:
    """The constructor's parameters as keyword-only settings, their numbers restricted to what means something, after the problem."""
    unused = _GIVEN.union(_UNUSED.get(_stem(kind.__name__), ()))
    given = [one for one in inspect.signature(kind).parameters.values() if one.name not in unused]
    named = {parameter: _RENAMED.get(parameter.name, parameter.name) for parameter in given}
    own = [
        one.replace(name=name, kind=inspect.Parameter.KEYWORD_ONLY, annotation=_TYPES.get(name, _restricted(one.annotation)))
        for one, name in named.items()
    ]
    return inspect.Signature([inspect.Parameter("problem", inspect.Parameter.POSITIONAL_OR_KEYWORD), *own])


def _summary(text: str) -> str:
    """The first sentence of a docstring in one line, without its references."""
    first = " ".join(text.partition("\n\n")[0].split())
    return re.sub(r"\s*\[#?\w+\]_?", "", first).partition(". ")[0].rstrip(".") + "."


def _restricted(annotation: Any) -> Any:
    """A type of Foolbox's; its whole numbers are counts, and none of its others may be negative."""
    numbers: dict[Any, Any] = {int: Count, float: NonNegative}
    parts = get_args(annotation)
    if NoneType in parts:
        return _restricted(next(part for part in parts if part is not NoneType)) | None
    if parts and all(get_origin(part) is Literal for part in parts):
        return Literal[tuple(word for part in parts for word in get_args(part))]
    return numbers.get(annotation, annotation)
