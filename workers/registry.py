"""Components by name: models, data sets, attacks, defences, losses, metrics and corruptions, ours and a user's alike. Imports no torch.

Ours are found by listing their packages: adding one is adding one file. A user's come from plugins (`workers.plugins`), those of
libraries and folders by reference, `scheme:NAME` (`workers.components.references`).
"""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from workers.components.component_registry import Registry
from workers.components.facts import (
    AttackFacts,
    CorruptionFacts,
    DatasetFacts,
    DatasetInfo,
    DefenceFacts,
    Loader,
    LossFacts,
    MetricFacts,
    Modality,
    ModelFacts,
)

F = TypeVar("F")
C = TypeVar("C", bound=Callable[..., Any])

MODELS: Registry[ModelFacts] = Registry("model", "workers.models", called=(("info",),), given=frozenset({"binary"}))
DATASETS: Registry[DatasetFacts] = Registry("dataset", "workers.data", called=(("root",),))
ATTACKS: Registry[AttackFacts] = Registry(
    "attack",
    "workers.attacks",
    called=(("problem",), ("logits", "inputs", "labels")),
    given=frozenset({"epsilon", "norm", "bounds", "generator"}),
)
DEFENCES: Registry[DefenceFacts] = Registry("defence", "workers.defences", called=((),))
LOSSES: Registry[LossFacts] = Registry("loss", "workers.losses", called=(("network", "inputs", "labels", "adversary"),))
METRICS: Registry[MetricFacts] = Registry("metric", "workers.metrics", called=(("clean", "attacked", "labels"),))
CORRUPTIONS: Registry[CorruptionFacts] = Registry("corruption", "workers.corruptions", called=(("images", "severity", "draws"),))
REGISTRIES: dict[str, Registry[Any]] = {
    registry.kind: registry for registry in (MODELS, DATASETS, ATTACKS, DEFENCES, LOSSES, METRICS, CORRUPTIONS)
}


def _registering(registry: Registry[F], facts: F, name: str | None) -> Callable[[C], C]:
    def register(create: C) -> C:
        registry.add(name or _snake_case(create.__name__), create, facts)
        return create

    return register


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


@overload
def model(create: C, /) -> C: ...
@overload
def model(
    *,
    modality: Modality = "image",
    randomised: bool = False,
    stages: tuple[str, ...] = (),
    normalised: bool = False,
    initialised: bool = False,
    name: str | None = None,
) -> Callable[[C], C]: ...
def model(create: Any = None, /, **facts: Any) -> Any:
    """Register a network: `factory(info, *, ...) -> nn.Module`, which maps inputs (batch, *shape) to logits (batch, n_classes).

    Like all of these decorators it is used bare, `@model`, or with facts, `@model(modality="audio")`; the typed keyword-only parameters
    are settings, and axes of a space. `info` is a `DatasetInfo`: classes, shape and bounds of what the network is to take.

    Args:
        modality: of the inputs that it takes, `image` (batch, channels, height, width) or `audio` (batch, channels, samples).
        randomised: True where its own forward pass draws in eval mode.
        stages: see `ModelFacts`.
        normalised: True where it takes inputs in the data set's units and normalises them itself; else we normalise them before.
        initialised: True where it keeps the initial weights that its factory draws, from PyTorch's global generator, which is seeded.
        name: the function's, by default.
    """
    return _model(**facts) if create is None else _model(**facts)(create)


def _model(*, modality: Modality = "image", name: str | None = None, **facts: Any) -> Callable[[C], C]:
    def register(create: C) -> C:
        binary = "binary" in inspect.signature(create).parameters
        return _registering(MODELS, ModelFacts(modality, binary=binary, **facts), name)(create)

    return register


@overload
def dataset(create: C, /) -> C: ...
@overload
def dataset(
    *,
    info: DatasetInfo | None = None,
    n_train: int | None = None,
    n_test: int | None = None,
    folder: str = "",
    photographs: bool = False,
    check: Loader | None = None,
    count: Loader | None = None,
    download: Loader | None = None,
    verify: Loader | None = None,
    files: Loader | None = None,
    shape: Loader | None = None,
    modality: Modality = "image",
    name: str | None = None,
) -> Callable[[C], C]: ...
def dataset(create: Any = None, /, *, modality: Modality = "image", name: str | None = None, **facts: Any) -> Any:
    """Register a data set: `factory(root, *, ...) -> Dataset`, of arrays or map-style data sets of PyTorch; a pair (train, test) will do.

    `root` is the folder that `--data` names, or None. Without an `info` it is derived from the examples when they are read, and
    `modality` says what they are. The other arguments are those of `DatasetFacts`.
    """
    register = _registering(DATASETS, DatasetFacts(**facts, examples_are=modality), name)
    return register if create is None else register(create)


@overload
def attack(create: C, /) -> C: ...
@overload
def attack(
    *,
    norms: tuple[str, ...] = ("linf",),
    takes_gradients: bool = True,
    random_start: bool = False,
    selects: bool = False,
    loss: str = "ce",
    targeted_loss: str = "",
    foolbox: bool = False,
    one_step: bool = False,
    minimises: bool = False,
    untargeted: bool = False,
    restarts: bool = False,
    suite: bool = False,
    modalities: tuple[Modality, ...] = ("audio", "image"),
    name: str | None = None,
) -> Callable[[C], C]: ...
def attack(create: Any = None, /, *, name: str | None = None, **facts: Any) -> Any:
    """Register an attack; the arguments are those of `AttackFacts`.

    `attack(logits, inputs, labels, *, epsilon, norm, bounds, generator, ...) -> Tensor` returns points in the ball; those of
    the parameters after the `*` that it does not name it is not given. All that it draws is drawn from `generator`, and then
    `random_start` is True. Ours may be `attack(problem, *, ...)` instead.
    """
    loss = facts.get("loss", AttackFacts.loss)
    register = _registering(ATTACKS, AttackFacts(**{**facts, "targeted_loss": facts.get("targeted_loss") or loss}), name)
    return register if create is None else register(create)


@overload
def defence(create: C, /) -> C: ...
@overload
def defence(
    *,
    randomised: bool = False,
    around: bool = True,
    modalities: tuple[Modality, ...] = ("audio", "image"),
    acts_on_relus: bool = False,
    name: str | None = None,
) -> Callable[[C], C]: ...
def defence(create: Any = None, /, *, name: str | None = None, around: bool = True, **facts: Any) -> Any:
    """Register a defence, a class `Defence` whose keyword-only parameters are its settings; the arguments are those of `DefenceFacts`.

    It changes inputs (`transform`), layers (`install`) or the training loss (`penalty`). Where its gradient is of no use to an attacker,
    `backward_approximation` states the one that is to be used instead (BPDA).
    """
    register = _registering(DEFENCES, DefenceFacts(around=around, **facts), name)
    return register if create is None else register(create)


@overload
def loss(create: C, /) -> C: ...
@overload
def loss(*, training: Mapping[str, Any] | None = None, mixed: bool = False, name: str | None = None) -> Callable[[C], C]: ...
def loss(create: Any = None, /, *, training: Mapping[str, Any] | None = None, mixed: bool = False, name: str | None = None) -> Any:
    """Register a training loss: `loss(network, inputs, labels, adversary, *, ...) -> Tensor`, a scalar.

    `network` gives logits (batch, n_classes), `adversary(inputs, labels)` the examples to train on: adversarial ones under
    adversarial training, else the inputs themselves. `training` are settings of a training, such as
    `{"adversarial_training": "pgd"}`, that it has unless others are given. One that is `mixed` takes shares of the classes too,
    (batch, n_classes), which `mixing` gives as labels.
    """
    register = _registering(LOSSES, LossFacts(training or {}, mixed), name)
    return register if create is None else register(create)


@overload
def metric(create: C, /) -> C: ...
@overload
def metric(
    *,
    heading: str = "",
    decimals: int = 2,
    modalities: tuple[Modality, ...] = ("audio", "image"),
    always: bool = False,
    over_examples: str = "mean",
    name: str | None = None,
) -> Callable[[C], C]: ...
def metric(create: Any = None, /, *, heading: str = "", name: str | None = None, **facts: Any) -> Any:
    """Register a metric of attacked examples: `metric(clean, attacked, labels) -> Tensor`, (batch,), NaN where it has no value."""

    def register(create: C) -> C:
        return _registering(METRICS, MetricFacts(heading or create.__name__, **facts), name)(create)

    return register if create is None else register(create)


@overload
def corruption(create: C, /) -> C: ...
@overload
def corruption(*, published: bool = False, name: str | None = None) -> Callable[[C], C]: ...
def corruption(create: Any = None, /, *, published: bool = False, name: str | None = None) -> Any:
    """Register a common corruption: `corruption(images, severity, draws) -> Tensor`, of images (batch, channels, height, width) in
    [0, 1] with 1 or 3 channels at a severity from 1 to 5, the same shape; values are then clipped and made whole numbers of 255ths.

    All that it draws comes from `draws` (`workers.corruptions.filters.draws.ExampleDraws`), which has a generator for each example.
    """
    register = _registering(CORRUPTIONS, CorruptionFacts(published), name)
    return register if create is None else register(create)
