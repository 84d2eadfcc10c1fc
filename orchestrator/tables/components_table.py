"""Table of components: names, settings with their defaults, and where they come from."""

from collections.abc import Iterable
from typing import Any

from orchestrator.naming.varying_axes import in_words
from orchestrator.tables.table import Column, Table
from workers.components.component_registry import Component
from workers.components.references import scheme_of
from workers.components.settings import Settings
from workers.errors import UserError
from workers.registry import REGISTRIES

_DIGITS = 12
_COLUMNS = (
    Column("kind"),
    Column("name"),
    Column("settings", wraps=True),
    Column("source"),
    Column("digest"),
    Column("description", heading="what it is", wraps=True),
)


def components_table(kind: str | None) -> Table:
    """The components that are registered here, of one kind (`model`, or `models`) or of all; or all that a library has (`foolbox`), in
    whatever kinds it has a scheme.

    Raises:
        UserError: there is no such kind or library.
    """
    if kind is not None and (found := [registry for registry in REGISTRIES.values() if kind in registry.schemes()]):
        return Table(columns=_COLUMNS, rows=tuple(_row(registry[name]) for registry in found for name in registry.referable(kind)))
    singular = None if kind is None else kind.removesuffix("s") if kind.removesuffix("s") in REGISTRIES else kind
    if singular is not None and singular not in REGISTRIES:
        libraries = sorted({scheme for registry in REGISTRIES.values() for scheme in registry.schemes()})
        raise UserError(f"components {kind}: one of {', '.join([*REGISTRIES, *libraries])}")
    chosen = [registry for name, registry in REGISTRIES.items() if singular in (None, name)]
    return Table(columns=_COLUMNS, rows=tuple(_row(component) for registry in chosen for component in registry))


def _row(component: Component[Any]) -> tuple[str | None, ...]:
    source = component.source
    own = source.plugin is not None
    place = str(source.path) if own else scheme_of(component.name) or "robustsweep"
    digest = component.digest if own and component.digest else None
    return component.kind, component.name, ", ".join(_settings(component.settings)), place, digest and digest[:_DIGITS], component.summary


def _settings(settings: type[Settings]) -> Iterable[str]:
    """`steps=10`; without a default the name alone."""
    for name, field in settings.model_fields.items():
        yield name if field.is_required() else f"{name}={in_words(field.default)}"
