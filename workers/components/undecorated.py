"""Components that no decorator registers: a class or function of a plugin, named as `module:attribute`. Its parameters say what it is."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workers.components.facts import (
    AttackFacts,
    CorruptionFacts,
    DatasetFacts,
    DatasetInfo,
    DefenceFacts,
    LossFacts,
    MetricFacts,
    Modality,
    ModelFacts,
)

_OF_INFO: Mapping[str, Callable[[DatasetInfo], Any]] = {
    **dict.fromkeys(("n_classes", "num_classes"), lambda info: info.n_classes),
    **dict.fromkeys(("in_channels", "in_chans"), lambda info: info.shape[0]),
    "info": lambda info: info,
}
"""Arguments of a network's factory, by the names of its parameters."""
_CLASSES = ("info", "n_classes", "num_classes")
_PLAIN = (bool, int, float, str)
_Parameters = Mapping[str, inspect.Parameter]


@dataclass(frozen=True)
class Undecorated:
    """Stand-in for it in the registry: a factory whose settings are keyword-only, and its facts."""

    create: Callable[..., Any]
    facts: Any


def undecorated(kind: str, create: Any, *, called: tuple[str, ...]) -> Undecorated:
    """Return a class or function as a component of a kind; all of its parameters but those that we give it are settings.

    Args:
        kind: of the component.
        create: the class or function.
        called: the names of what components of the kind are called with by position.

    Raises:
        TypeError: it is neither, or could not do what components of the kind do.
    """
    if not callable(create):
        raise TypeError(f"is {type(create).__name__}, must be a class or a function")
    parameters = dict(inspect.signature(create, eval_str=True).parameters)
    facts = _FACTS[kind](create, parameters)
    if kind == "model":
        return Undecorated(_of_info(create, parameters), facts)
    places = [name for name, parameter in parameters.items() if parameter.kind is not inspect.Parameter.KEYWORD_ONLY]
    if len(places) < len(called):
        raise TypeError(f"takes ({', '.join(places)}), must take ({', '.join(called)}, ...)")
    given = dict(zip(called, places, strict=False))
    return Undecorated(_with_settings(create, called, {n: p for n, p in parameters.items() if n not in given.values()}), facts)


def _of_info(create: Callable[..., Any], parameters: _Parameters) -> Callable[..., Any]:
    """A network's factory that takes the info of the data set."""
    if not parameters.keys() & set(_CLASSES):
        raise TypeError(f"takes ({', '.join(parameters)}), must take one of {', '.join(_CLASSES)}: how many classes there are")
    given = {name: found for name, found in _OF_INFO.items() if name in parameters}

    def factory(info: DatasetInfo, **own: Any) -> Any:
        return create(**{name: found(info) for name, found in given.items()}, **own)

    return _signed(factory, create, ("info",), {name: found for name, found in parameters.items() if name not in given})


def _with_settings(create: Callable[..., Any], called: tuple[str, ...], own: _Parameters) -> Callable[..., Any]:
    def factory(*given: Any, **settings: Any) -> Any:
        return create(*given, **settings)

    return _signed(factory, create, called, own)


def _signed(factory: Callable[..., Any], create: Callable[..., Any], called: tuple[str, ...], own: _Parameters) -> Callable[..., Any]:
    """The factory under the name and with the settings of what it calls."""
    places = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in called]
    settings = [_setting(parameter) for parameter in own.values()]
    factory.__signature__ = inspect.Signature([*places, *settings])  # type: ignore[attr-defined]
    factory.__doc__, factory.__module__ = inspect.getdoc(create), create.__module__
    factory.__name__, factory.__qualname__ = create.__name__, create.__qualname__
    return factory


def _setting(parameter: inspect.Parameter) -> inspect.Parameter:
    if parameter.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL):
        return parameter.replace(kind=inspect.Parameter.VAR_KEYWORD)
    untyped = parameter.annotation is inspect.Parameter.empty and type(parameter.default) in _PLAIN
    typed = parameter.replace(annotation=type(parameter.default)) if untyped else parameter
    return typed.replace(kind=inspect.Parameter.KEYWORD_ONLY)


def _model(create: Any, parameters: _Parameters) -> ModelFacts:  # noqa: ARG001
    randomised, normalised = (getattr(create, name, False) is True for name in ("randomised", "normalised"))
    modality: Modality = "audio" if getattr(create, "modality", "image") == "audio" else "image"
    return ModelFacts(modality, randomised=randomised, normalised=normalised)


def _attack(create: Any, parameters: _Parameters) -> AttackFacts:  # noqa: ARG001
    return AttackFacts(("l2", "linf") if "norm" in parameters else ("linf",), random_start="generator" in parameters)


def _defence(create: Any, parameters: _Parameters) -> DefenceFacts:  # noqa: ARG001
    if not hasattr(create, "transform"):
        raise TypeError("must be a class Defence")
    return DefenceFacts(randomised=bool(getattr(create, "randomised", False)))


_FACTS: Mapping[str, Callable[[Any, _Parameters], Any]] = {
    "model": _model,
    "dataset": lambda create, parameters: DatasetFacts(),  # noqa: ARG005
    "attack": _attack,
    "defence": _defence,
    "loss": lambda create, parameters: LossFacts(),  # noqa: ARG005
    "metric": lambda create, parameters: MetricFacts(),  # noqa: ARG005
    "corruption": lambda create, parameters: CorruptionFacts(),  # noqa: ARG005
}
