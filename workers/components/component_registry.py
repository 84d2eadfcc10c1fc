"""A component with its settings and facts, and a registry of components of one kind. Imports no torch."""

import hashlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from typing import Any, Generic, TypeVar

from workers.components.facts import CodeSource
from workers.components.references import examples, resolved, scheme_of, schemes
from workers.components.settings import Settings, require_signature, settings_of
from workers.components.undecorated import undecorated

F = TypeVar("F")
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
        self.given = given.union(*called)
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
        if held is not None and held.source is source:  # each run of a file has a source of its own
            raise ValueError(f"{self.kind} '{name}': {_place(source)} registers it twice")
        if self._called:
            require_signature(create, name=f"{self.kind} {name}", given=self._called)
        settings = settings_of(create, name=name, given_by_us=self.given)
        component = Component(self.kind, name, create, facts, settings, source)
        if _collected is None:
            self.put(component)
        else:
            _collected.append(component)

    def put(self, component: Component[F]) -> None:
        """Register what was collected."""
        self.version += 1
        self._components[component.name] = component

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
        settings = settings_of(create, name=re.sub(r"\W", "_", reference), given_by_us=self.given)
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
_collected: list[Component[Any]] | None = None
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


@contextmanager
def collecting() -> Iterator[list[Component[Any]]]:
    """Inside, what is registered is collected in the list instead."""
    global _collected  # noqa: PLW0603 (as above)
    found: list[Component[Any]] = []
    _collected = found
    try:
        yield found
    finally:
        _collected = None


def _place(source: CodeSource) -> str:
    return "robustsweep" if source.path is None else str(source.path)
