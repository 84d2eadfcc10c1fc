"""Components that a space names by reference, `scheme:NAME`: they are looked up before it is validated, so that their settings are axes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from search_spaces.file.yaml_document import read_document
from search_spaces.schema.component_axes import ComponentAxes
from search_spaces.schema.grid import sections
from search_spaces.space import VARIANTS
from workers.references import scheme_of


def look_up_references(data: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Look up every reference in a file's data and in overrides; one that is none is found out when the space is validated."""
    for name, section in sections().items():
        if not issubclass(section, ComponentAxes):
            continue
        for reference in {*_named(data, name, section.named_by), *_overridden(overrides, name, section.named_by)}:
            if scheme_of(reference):
                section.registry.find(reference)


def _named(data: Mapping[str, Any], name: str, named_by: str) -> Iterator[str]:
    """The names in a section of a file, and in that of its variants."""
    section = data.get(name)
    for part in section if isinstance(section, list) else [section]:
        yield from _texts(part.get(named_by)) if isinstance(part, dict) else ()
    variants = data.get(VARIANTS)
    for variant in variants if isinstance(variants, list) else ():
        yield from _named(variant, name, named_by) if isinstance(variant, dict) else ()


def _overridden(overrides: Sequence[str], name: str, named_by: str) -> Iterator[str]:
    for override in overrides:
        path, _, text = override.partition("=")
        parts = path.strip().split(".")
        if name in parts and parts[-1] == named_by:
            yield from _texts(read_document(text).data)


def _texts(value: object) -> Iterator[str]:
    """The texts in a value of an axis: one, a list, or a choice `{values: [...]}`."""
    if isinstance(value, dict):
        value = value.get("values")
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            yield item
