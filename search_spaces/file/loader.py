"""Loads spaces: built-in ones by name, others from a YAML file, with every problem of a file reported at once."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from search_spaces.file.overrides import overridden
from search_spaces.file.problems import SpaceProblem, described, dotted, joined
from search_spaces.file.yaml_document import UNREADABLE, Document, read_document
from search_spaces.schema.component_axes import ComponentAxes
from search_spaces.schema.registered_sections import sections
from search_spaces.schema.wording import listed, shown
from search_spaces.space import VARIANTS, Location, Space, as_written, given_twice, origin, space_type, usable, with_flat_settings
from workers.components.references import scheme_of
from workers.errors import UserError, did_you_mean, os_reason
from workers.files import open_regular
from workers.plugins import load_plugins, named_in_environment

MAX_BYTES = 200_000


@dataclass(frozen=True)
class LoadedSpace:
    """A space with the text it was read from; `label` is the file's path as it was given, or `built-in:quickstart`, `folder` the one that
    its relative paths are relative to."""

    space: Space
    text: str
    label: str
    overrides: tuple[str, ...] = ()
    folder: Path = Path()

    @property
    def name(self) -> str:
        return self.space.name

    @property
    def recorded_text(self) -> str:
        """The text to keep with the results: the file as it is, the overrides appended as comments."""
        return self.text + "".join(f"\n# --set {override}" for override in self.overrides)


def load_space(name_or_path: str, overrides: Sequence[str] = ()) -> LoadedSpace:
    """Return the built-in space of that name, else the space file at that path, with `path=value` overrides applied.

    Raises:
        UserError: there is no such space.
        SpaceError: the file or an override is wrong; the message has one line per problem.
    """
    if name_or_path in _builtin_texts():
        label, stem, text = f"{name_or_path}.yaml", name_or_path, _builtin_texts()[name_or_path]
        return LoadedSpace(parse_space(text, label=label, stem=stem, overrides=overrides), text, f"built-in:{stem}", tuple(overrides))
    text = _read(name_or_path)
    path = Path(name_or_path)
    space = parse_space(text, label=name_or_path, stem=path.stem, overrides=overrides, folder=path.absolute().parent)
    return LoadedSpace(space, text, name_or_path, tuple(overrides), path.absolute().parent)


def parse_space(text: str, *, label: str, stem: str, overrides: Sequence[str] = (), folder: Path | None = None) -> Space:
    """Return the space that a YAML text describes; `label` names the text in errors, `stem` is the space's name where it gives none.

    Raises:
        SpaceError: the text or an override is wrong; the message has one line per problem.
    """
    document = read_document(text)
    _load_plugins(document, label, folder)
    if not isinstance(document.data, dict):
        raise joined(document.problems or [_no_mapping(document)], label)
    document.problems.extend(
        SpaceProblem(f"{dotted(path)}: given twice, in settings and next to them", document.line(path))
        for path in given_twice(document.data)
    )
    flat = with_flat_settings({"name": stem, **document.data})
    look_up_references(flat, overrides)
    data, overridden_at = overridden(flat, overrides, document.problems)
    try:
        space = space_type().model_validate(data, context={"folder": folder})
    except ValidationError as invalid:
        raise joined([*document.problems, *_problems(invalid, data, document, overridden_at)], label) from None
    if document.problems:
        raise joined(document.problems, label)
    return space


def _load_plugins(document: Document, label: str, folder: Path | None) -> None:
    """Load the plugins that the environment and the file name; the file's are relative to its folder."""
    load_plugins(named_in_environment())
    named = document.data.get("plugins") if isinstance(document.data, dict) else None
    try:
        load_plugins((name for name in (named if isinstance(named, list) else ()) if isinstance(name, str)), folder=folder)
    except UserError as error:
        raise joined([SpaceProblem(f"plugins: {error}", line=document.line(("plugins",)))], label) from None


def _no_mapping(document: Document) -> SpaceProblem:
    found = "the file is empty" if document.root is None else f"found {shown(document.data)}"
    return SpaceProblem(f"a space file is a mapping (key: value); {found}", line=1)


def _problems(invalid: ValidationError, data: dict[str, Any], document: Document, overridden_at: set[Location]) -> Iterator[SpaceProblem]:
    """Yield every problem once, with its line; a problem of the file's own settings that only some of the variants have names these.

    A value that is of none of several types is one problem: what the first of them says.
    """
    errors = [error for error in invalid.errors(include_url=False) if error["input"] is not UNREADABLE]
    grids_with = Counter((error["loc"][2:], error["msg"]) for error in errors)
    found: dict[SpaceProblem, list[str]] = {}
    said: dict[tuple[Location, Location], str] = {}
    for error in errors:
        path = origin(error["loc"], data, everywhere=grids_with[error["loc"][2:], error["msg"]] == usable(data))
        value = tuple(part for part in path if not str(part).startswith(_ONE_TYPE))
        if said.setdefault((error["loc"][:2], value), error["msg"]) != error["msg"]:
            continue
        by_override = any(path[:end] in overridden_at for end in range(len(path) + 1))
        inheriting = found.setdefault(
            SpaceProblem(described(error, path), line=0 if by_override else document.line(as_written(path, document.data))), []
        )
        if error["loc"][0] == "grids" and path[0] != VARIANTS:
            inheriting.append(dotted((VARIANTS, *error["loc"][1:2])))
    for problem, inheriting in found.items():
        named = dict.fromkeys(inheriting)
        yield replace(problem, message=f"{problem.message} (in {listed(named)})") if 0 < len(named) < usable(data) else problem


_ONE_TYPE = "function-"  # what pydantic puts behind a value's place, for each type that it tried


def builtin_spaces() -> list[tuple[str, str]]:
    """Return the name and description of every built-in space."""
    return [(name, load_space(name).space.description) for name in _builtin_texts()]


@cache
def _builtin_texts() -> dict[str, str]:
    found = [entry for entry in files("search_spaces").iterdir() if entry.name.endswith(".yaml")]
    return {entry.name.removesuffix(".yaml"): entry.read_text("utf-8") for entry in sorted(found, key=lambda entry: entry.name)}


def _read(path: str) -> str:
    """Return the text of a space file; any failure to read it is reported to the user in one line."""
    try:
        with open_regular(Path(path)) as file:
            content = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, ValueError):
        names = list(_builtin_texts())
        hint = did_you_mean(path, names) or ";"
        raise UserError(f"space {path!r}: neither a file nor a built-in space{hint} built-in: {', '.join(names)}") from None
    except OSError as error:
        raise UserError(f"space {path!r}: {os_reason(error)}") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"space {path!r}: larger than {MAX_BYTES} bytes; space files are small")
    return _decoded(content, path)


def _decoded(content: bytes, path: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise joined([SpaceProblem(f"not UTF-8 text: byte 0x{error.object[error.start]:02x}", line=line)], path) from None


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
