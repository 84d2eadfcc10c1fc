"""Components by name: models, data sets, attacks, defences, losses, metrics and corruptions, ours and a user's alike. Imports no torch.

Ours are found by listing their packages: adding one is adding one file. A user's come from plugins (`workers.plugins`), those of
libraries and folders by reference, `scheme:NAME` (`workers.references`).
"""

import hashlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

from workers.facts import (
    AttackFacts,
    CodeSource,
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
from workers.references import examples, resolved, scheme_of, schemes
from workers.settings import Settings, settings_of
from workers.signatures import require_signature
from workers.undecorated import undecorated

F = TypeVar("F")
C = TypeVar("C", bound=Callable[..., Any])
_NO_COMPONENTS = frozenset({"base"})


@dataclass(frozen=True)
class Component(Generic[F]):
    """One component: `create` is the function or class as its author wrote it, `settings` the model of its own settings."""

    kind: str
    name: str
    create: Callable[..., Any]
    facts: F
    settings: type[Settings]
    source: CodeSource

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.create) or "").partition("\n")[0]

    @cached_property
    def digest(self) -> str | None:
        """The digest of foreign code: of its definition and what that reaches, and of the qualified name; None for ours."""
        name, source = self.create.__qualname__, self.source
        own = source.digest if source.digest_of is None else source.digest_of(name)
        return own and hashlib.sha256(f"{own} {name}".encode()).hexdigest()

    @property
    def place(self) -> str:
        """Its file and line where it is a plugin's, `mine.py, line 12`, of a class that of its first method; empty for ours."""
        if self.source.path is None:
            return ""
        found = inspect.unwrap(self.create)
        parts = vars(found).values() if inspect.isclass(found) else (found,)
        lines = [part.__code__.co_firstlineno for part in parts if hasattr(part, "__code__")]
        return f"{self.source.path.name}, line {min(lines)}" if lines else self.source.path.name

    def accepts(self, parameter: str) -> bool:
        """True where its factory has this parameter."""
        return parameter in inspect.signature(self.create).parameters


class Registry(Generic[F]):
    """The components of one kind, by name.

    Args:
        kind: as messages call it.
        package: the package whose modules register ours.
        called: what a factory may be called with by position, one of these; unchecked where there are none.
        given: its keyword-only parameters that are no settings of the component.
    """

    def __init__(self, kind: str, package: str, *, called: tuple[tuple[str, ...], ...] = (), given: frozenset[str] = frozenset()) -> None:
        self.kind = kind
        self.version = 0
        self._package, self._called, self._listed = package, called, False
        self._given = given.union(*called)
        self._components: dict[str, Component[F]] = {}
        self._by_reference: dict[str, Component[F]] = {}

    def add(self, name: str, create: Callable[..., Any], facts: F) -> None:
        """Register a component.

        Raises:
            ValueError: another one has this name.
            TypeError: it cannot be called as we call it, or its parameters cannot be settings.
        """
        source = _loading or CodeSource()
        held = (self._components if source.path is None else self._all()).get(name)
        if held is not None and (held.source.path != source.path or held.create.__qualname__ != create.__qualname__):
            raise ValueError(f"{self.kind} '{name}': {_place(source)} registers it, and {_place(held.source)} has registered it already")
        if self._called:
            require_signature(create, name=f"{self.kind} {name}", given=self._called)
        settings = settings_of(create, name=name, given_by_us=self._given)
        self.version += 1
        self._components[name] = Component(self.kind, name, create, facts, settings, source)

    def __getitem__(self, name: str) -> Component[F]:
        """The component of that name.

        Raises:
            ValueError: there is none; the message names those that there are.
        """
        if (found := self._all().get(name)) is not None:
            return found
        if scheme_of(name) in schemes(self._package):
            return self._referenced(name)
        if scheme_of(name) in _modules:
            return self._attribute(name)
        close = get_close_matches(str(name), self.names(), n=1)
        meant = f" (did you mean {close[0]}?)" if close else ""
        legal = (*self.names(), *(f"{scheme}:NAME" for scheme in [*schemes(self._package), *_modules]))
        raise ValueError(f"{self.kind} '{name}': one of {', '.join(legal)}{meant}")

    def find(self, name: str) -> Component[F] | None:
        """The component of that name or reference, if it is installed here."""
        if not scheme_of(name):
            return self._all().get(name)
        try:
            return self[name]
        except ValueError:
            return None

    def names(self) -> tuple[str, ...]:
        """The names of all components that are registered here, sorted, `none` first; without those by reference."""
        return tuple(sorted(self._all(), key=lambda name: (name != "none", name)))

    def schemes(self) -> tuple[str, ...]:
        """The schemes of references to libraries' components of this kind."""
        return tuple(schemes(self._package))

    def referable(self, scheme: str) -> tuple[str, ...]:
        """The references of a scheme whose names are known here."""
        return tuple(f"{scheme}:{name}" for name in schemes(self._package)[scheme].names())

    def __iter__(self) -> Iterator[Component[F]]:
        return iter([self._all()[name] for name in self.names()])

    def known(self) -> Iterator[Component[F]]:
        """The registered components, an example of each scheme that names one, and those by reference that were asked for."""
        yield from self
        for reference in examples(self._package):
            self.find(reference)
        yield from list(self._by_reference.values())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.find(name) is not None

    def _referenced(self, reference: str) -> Component[F]:
        """The component of a reference, the same object each time.

        Raises:
            ValueError: there is none of that name; the message begins with the kind and the reference.
        """
        if reference not in self._by_reference:
            try:
                found = resolved(self._package, reference)
            except ValueError as error:
                raise ValueError(f"{self.kind} '{reference}': {error}") from error
            self._keep(reference, found.create, found.facts, CodeSource())
        return self._by_reference[reference]

    def _attribute(self, reference: str) -> Component[F]:
        """The component that a plugin's module holds under a name, whether it is registered or not.

        Raises:
            ValueError: there is none, or it is no component of this kind; the message begins with the kind and the reference.
        """
        module, _, name = reference.partition(":")
        try:
            found, source = _modules[module](name)
            held = self._by_reference.get(reference)
            if held is None or held.source != source:
                known = next((one for one in self if one.create is found), None)
                asked = known or undecorated(self.kind, found, called=self._called[-1] if self._called else ())
                self._keep(reference, asked.create, asked.facts, source)
        except (TypeError, ValueError, NameError) as error:
            raise ValueError(f"{self.kind} '{reference}': {error}") from error
        return self._by_reference[reference]

    def _keep(self, reference: str, create: Callable[..., Any], facts: F, source: CodeSource) -> None:
        settings = settings_of(create, name=re.sub(r"\W", "_", reference), given_by_us=self._given)
        self.version += 1
        self._by_reference[reference] = Component(self.kind, reference, create, facts, settings, source)

    def _all(self) -> dict[str, Component[F]]:
        if not self._listed:
            self._listed = True
            with loading(None):
                for module in pkgutil.iter_modules(import_module(self._package).__path__):
                    if not module.ispkg and module.name not in _NO_COMPONENTS:
                        import_module(f"{self._package}.{module.name}")
        return self._components


_loading: CodeSource | None = None
_modules: dict[str, Callable[[str], tuple[Any, CodeSource]]] = {}


def declare_module(name: str, look_up: Callable[[str], tuple[Any, CodeSource]]) -> None:
    """Let `NAME:attribute` mean what a plugin's module holds.

    Args:
        name: of the module, in references.
        look_up: returns an attribute's value and its source; raises ValueError where there is none of that name.
    """
    _modules[name] = look_up


@contextmanager
def loading(source: CodeSource | None) -> Iterator[None]:
    """Inside, what is registered comes from `source` (None: ours)."""
    global _loading  # noqa: PLW0603 (modules register while they are imported, and an import takes no argument)
    before, _loading = _loading, source
    try:
        yield
    finally:
        _loading = before


def _place(source: CodeSource) -> str:
    return "robustsweep" if source.path is None else str(source.path)


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

    All that it draws comes from `draws` (`workers.corruptions.filters.draws.Draws`), which has a generator for each example.
    """
    register = _registering(CORRUPTIONS, CorruptionFacts(published), name)
    return register if create is None else register(create)


def code_path(create: Callable[..., Any]) -> Path | None:
    """The file in which a component's code is."""
    found = inspect.getsourcefile(create)
    return None if found is None else Path(found)
