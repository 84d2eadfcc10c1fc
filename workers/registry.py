"""Components by name: models, data sets, attacks, defences, training losses and metrics, ours and a user's alike. Imports no torch.

Ours are found by listing their packages: adding one is adding one file. A user's come from plugins (`workers.plugins`), those of
libraries and folders by reference, `scheme:NAME` (`workers.references`).
"""

import hashlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from workers.facts import (
    AttackFacts,
    CodeSource,
    DatasetFacts,
    DatasetInfo,
    DefenceFacts,
    Loader,
    LossFacts,
    MetricFacts,
    Modality,
    ModelFacts,
)
from workers.references import resolved, scheme_of, schemes
from workers.settings import Settings, settings_of

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

    @property
    def digest(self) -> str | None:
        """The digest of foreign code: of the files that it reaches, and of the qualified name; None for ours."""
        own = self.source.digest
        return own and hashlib.sha256(f"{own} {self.create.__qualname__}".encode()).hexdigest()

    def accepts(self, parameter: str) -> bool:
        """True where its factory has this parameter."""
        return parameter in inspect.signature(self.create).parameters


class Registry(Generic[F]):
    """The components of one kind, by name.

    Args:
        kind: as messages call it.
        package: the package whose modules register ours.
        given: the factory's parameters that are no settings of the component.
    """

    def __init__(self, kind: str, package: str, *, given: frozenset[str] = frozenset()) -> None:
        self.kind = kind
        self.version = 0
        self._package, self._given, self._listed = package, given, False
        self._components: dict[str, Component[F]] = {}
        self._by_reference: dict[str, Component[F]] = {}

    def add(self, name: str, create: Callable[..., Any], facts: F) -> None:
        """Register a component.

        Raises:
            ValueError: another one has this name.
            TypeError: its parameters cannot be settings.
        """
        source = _loading or CodeSource()
        held = (self._components if source.path is None else self._all()).get(name)
        if held is not None and (held.source.path != source.path or held.create.__qualname__ != create.__qualname__):
            raise ValueError(f"{self.kind} '{name}': {_place(source)} registers it, and {_place(held.source)} has registered it already")
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
        close = get_close_matches(str(name), self.names(), n=1)
        meant = f" (did you mean {close[0]}?)" if close else ""
        legal = (*self.names(), *(f"{scheme}:NAME" for scheme in schemes(self._package)))
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

    def __iter__(self) -> Iterator[Component[F]]:
        return iter([self._all()[name] for name in self.names()])

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
            settings = settings_of(found.create, name=re.sub(r"\W", "_", reference), given_by_us=self._given)
            self._by_reference[reference] = Component(self.kind, reference, found.create, found.facts, settings, CodeSource())
        return self._by_reference[reference]

    def _all(self) -> dict[str, Component[F]]:
        if not self._listed:
            self._listed = True
            with loading(None):
                for module in pkgutil.iter_modules(import_module(self._package).__path__):
                    if not module.ispkg and module.name not in _NO_COMPONENTS:
                        import_module(f"{self._package}.{module.name}")
        return self._components


_loading: CodeSource | None = None


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


MODELS: Registry[ModelFacts] = Registry("model", "workers.models", given=frozenset({"info", "binary"}))
DATASETS: Registry[DatasetFacts] = Registry("dataset", "workers.data", given=frozenset({"root"}))
ATTACKS: Registry[AttackFacts] = Registry(
    "attack", "workers.attacks", given=frozenset({"logits", "inputs", "labels", "epsilon", "norm", "bounds", "generator", "problem"})
)
DEFENCES: Registry[DefenceFacts] = Registry("defence", "workers.defences")
LOSSES: Registry[LossFacts] = Registry("loss", "workers.losses", given=frozenset({"network", "inputs", "labels", "adversary"}))
METRICS: Registry[MetricFacts] = Registry("metric", "workers.metrics", given=frozenset({"clean", "attacked", "labels"}))
REGISTRIES: dict[str, Registry[Any]] = {registry.kind: registry for registry in (MODELS, DATASETS, ATTACKS, DEFENCES, LOSSES, METRICS)}


def _registering(registry: Registry[F], facts: F, name: str | None) -> Callable[[C], C]:
    def register(create: C) -> C:
        registry.add(name or _snake_case(create.__name__), create, facts)
        return create

    return register


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def model(*, modality: Modality, randomised: bool = False, stages: tuple[str, ...] = (), name: str | None = None) -> Callable[[C], C]:
    """Register a network: `factory(info, *, ...) -> nn.Module`, inputs (batch, *shape) normalised by us, logits (batch, n_classes).

    Args:
        modality: of the inputs that it takes.
        randomised: True where its own forward pass draws in eval mode.
        stages: see `ModelFacts`.
        name: the function's, by default.
    """

    def register(create: C) -> C:
        binary = "binary" in inspect.signature(create).parameters
        return _registering(MODELS, ModelFacts(modality, binary=binary, randomised=randomised, stages=stages), name)(create)

    return register


def dataset(  # noqa: PLR0913 (each is a fact)
    *,
    info: DatasetInfo,
    n_train: int | None = None,
    n_test: int | None = None,
    folder: str = "",
    photographs: bool = False,
    check: Loader | None = None,
    count: Loader | None = None,
    download: Loader | None = None,
    name: str | None = None,
) -> Callable[[C], C]:
    """Register a data set: `factory(root, *, ...) -> Dataset`; the arguments are those of `DatasetFacts`."""
    return _registering(DATASETS, DatasetFacts(info, n_train, n_test, folder, photographs, check, count, download), name)


def attack(  # noqa: PLR0913 (each is a fact)
    *,
    norms: tuple[str, ...] = ("linf",),
    takes_gradients: bool = True,
    random_start: bool = False,
    selects: bool = False,
    loss: str = "ce",
    targeted_loss: str = "",
    foolbox: bool = False,
    one_step: bool = False,
    name: str | None = None,
) -> Callable[[C], C]:
    """Register an attack; the arguments are those of `AttackFacts`.

    `attack(logits, inputs, labels, *, epsilon, norm, bounds, generator, ...) -> Tensor` returns points in the ball; those of
    the parameters after the `*` that it does not name it is not given. Ours may be `attack(problem, *, ...)` instead.
    """
    facts = AttackFacts(norms, takes_gradients, random_start, selects, loss, targeted_loss or loss, foolbox, one_step)
    return _registering(ATTACKS, facts, name)


def defence(
    *,
    randomised: bool = False,
    around: bool = True,
    modalities: tuple[Modality, ...] = ("audio", "image"),
    acts_on_relus: bool = False,
    name: str | None = None,
) -> Callable[[C], C]:
    """Register a defence, a class `Defence` whose keyword-only parameters are its settings; the arguments are those of `DefenceFacts`."""
    return _registering(DEFENCES, DefenceFacts(randomised, around, modalities, acts_on_relus), name)


def loss(*, name: str | None = None) -> Callable[[C], C]:
    """Register a training loss: `loss(network, inputs, labels, adversary, *, ...) -> Tensor`, a scalar.

    `network` gives logits (batch, n_classes), `adversary(inputs, labels)` the examples to train on: adversarial ones under
    adversarial training, else the inputs themselves.
    """
    return _registering(LOSSES, LossFacts(), name)


def metric(
    *,
    heading: str = "",
    decimals: int = 2,
    modalities: tuple[Modality, ...] = ("audio", "image"),
    always: bool = False,
    over_examples: str = "mean",
    name: str | None = None,
) -> Callable[[C], C]:
    """Register a metric of attacked examples: `metric(clean, attacked, labels) -> Tensor`, (batch,), NaN where it has no value."""

    def register(create: C) -> C:
        facts = MetricFacts(heading or create.__name__, decimals, modalities, always, over_examples)  # type: ignore[arg-type]
        return _registering(METRICS, facts, name)(create)

    return register


def code_path(create: Callable[..., Any]) -> Path | None:
    """The file in which a component's code is."""
    found = inspect.getsourcefile(create)
    return None if found is None else Path(found)
