"""Components by name: models, data sets, attacks, defences, losses, metrics and corruptions, ours and a user's alike. Imports no torch.

Ours are found by listing their packages: adding one is adding one file. A user's come from plugins (`workers.plugins`), those of
libraries and folders by reference, `scheme:NAME` (`workers.components.references`).
"""

import inspect
import re
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, overload

from workers.components.component_registry import Registry
from workers.components.facts import (
    AttackFacts,
    CorruptionFacts,
    DatasetFacts,
    DefenceFacts,
    LossFacts,
    MetricFacts,
    ModelFacts,
)
from workers.errors import did_you_mean

F = TypeVar("F")
C = TypeVar("C", bound=Callable[..., Any])
P = ParamSpec("P")

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


class Decorator(Generic[P]):
    """Decorator that registers components of a kind, used bare, `@model`, or with facts, `@model(modality="audio")`.

    Its keywords are the fields of the kind's facts, and `name`: the function's or class's own, by default.
    """

    def __init__(self, registry: Registry[F], facts: Callable[P, F], about: str) -> None:
        self._registry: Registry[Any] = registry
        self._facts: Callable[..., Any] = facts
        self.__doc__, self.__name__, self.__signature__ = about, registry.kind, inspect.signature(facts)

    @overload
    def __call__(self, create: C, /) -> C: ...
    @overload
    def __call__(self, *_: P.args, **facts: P.kwargs) -> Callable[[C], C]: ...
    def __call__(self, *given: Any, **facts: Any) -> Any:
        legal = ("name", *inspect.signature(self._facts).parameters)
        if wrong := next((word for word in facts if word not in legal), None):
            hint = did_you_mean(wrong, legal) or ";"
            raise TypeError(f"@{self._registry.kind}({wrong}=...): no such keyword{hint} legal: {', '.join(legal)}")
        name, found = facts.pop("name", None), self._facts(**facts)

        def register(create: C) -> C:
            self._registry.add(name or _snake_case(create.__name__), create, found)
            return create

        return register(*given) if given else register


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


model = Decorator(
    MODELS,
    ModelFacts,
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
    """,
)
dataset = Decorator(
    DATASETS,
    DatasetFacts,
    """Register a data set: `factory(root, *, ...) -> Dataset`, of arrays or map-style data sets of PyTorch; a pair (train, test) will do.

    `root` is the folder that `--data` names, or None. Without an `info` it is derived from the examples when they are read, and
    `modality` says what they are. The other arguments are those of `DatasetFacts`.
    """,
)
attack = Decorator(
    ATTACKS,
    AttackFacts,
    """Register an attack; the arguments are those of `AttackFacts`.

    `attack(logits, inputs, labels, *, epsilon, norm, bounds, generator, ...) -> Tensor` returns points in the ball; those of
    the parameters after the `*` that it does not name it is not given. All that it draws is drawn from `generator`, and then
    `random_start` is True. Ours may be `attack(problem, *, ...)` instead.
    """,
)
defence = Decorator(
    DEFENCES,
    DefenceFacts,
    """Register a defence, a class `Defence` whose keyword-only parameters are its settings; the arguments are those of `DefenceFacts`.

    It changes inputs (`transform`), layers (`install`) or the training loss (`penalty`). Where its gradient is of no use to an attacker,
    `backward_approximation` states the one that is to be used instead (BPDA).
    """,
)
loss = Decorator(
    LOSSES,
    LossFacts,
    """Register a training loss: `loss(network, inputs, labels, adversary, *, ...) -> Tensor`, a scalar.

    `network` gives logits (batch, n_classes), `adversary(inputs, labels)` the examples to train on: adversarial ones under
    adversarial training, else the inputs themselves. `training` are settings of a training, such as
    `{"adversarial_training": "pgd"}`, that it has unless others are given. One that is `mixed` takes shares of the classes too,
    (batch, n_classes), which `mixing` gives as labels.
    """,
)
metric = Decorator(
    METRICS,
    MetricFacts,
    """Register a metric of attacked examples: `metric(clean, attacked, labels) -> Tensor`, (batch,), NaN where it has no value.""",
)
corruption = Decorator(
    CORRUPTIONS,
    CorruptionFacts,
    """Register a common corruption: `corruption(images, severity, draws) -> Tensor`, of images (batch, channels, height, width) in
    [0, 1] with 1 or 3 channels at a severity from 1 to 5, the same shape; values are then clipped and made whole numbers of 255ths.

    All that it draws comes from `draws` (`workers.corruptions.filters.draws.ExampleDraws`), which has a generator for each example.
    """,
)
