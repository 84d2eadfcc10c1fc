"""Job keys: the content address of a job, with the digests of data sets' files; and seed keys, from which its seeds derive."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from pydantic import BaseModel

from workers.components.settings import Frozen
from workers.spec.component import DataSpec
from workers.spec.fields import FrozenMapping

DigestOf = Callable[[DataSpec], str | None]
_PREFIX = "data "


def _unknown(data: DataSpec) -> str | None:  # noqa: ARG001
    return None


_digest_of: DigestOf = _unknown


@contextmanager
def digests_by(digest_of: DigestOf) -> Iterator[None]:
    """Inside, planned jobs have the digests of their data sets' files that `digest_of` finds; outside they have none."""
    global _digest_of  # noqa: PLW0603 (every place that plans would have to hand the data root on)
    before, _digest_of = _digest_of, digest_of
    try:
        yield
    finally:
        _digest_of = before


def data_digests(data: DataSpec) -> dict[str, str]:
    """The digest of a data set's files by its name in `Job.digests`; none where they are missing, or no part of a key."""
    found = _digest_of(data)
    return {} if found is None else {data_digest_name(data): found}


def data_digest_name(data: DataSpec) -> str:
    """The name of the digest of a data set's files in `Job.digests`."""
    return f"{_PREFIX}{data.name}"


def data_set_of(name: str) -> str | None:
    """The data set whose files' digest has this name in `Job.digests`; None for other digests."""
    return name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else None


KEY_VERSION = 2
"""Raise it when the same spec comes to mean another computation, as where a default changes: every old result is then left behind, none
reused wrongly."""

_RECENT: dict[int, tuple[BaseModel, dict[str, Any]]] = {}
_MOST_RECENT = 1000
_PRESENTATION = frozenset({"epsilon_literal", "recipe", "weights"})


def job_key(spec: Frozen, parents: Mapping[str, str], digests: Mapping[str, str] | None = None) -> str:
    """Return the job key, 64 hex digits.

    It is the SHA-256 of the canonical JSON of `KEY_VERSION`, the spec without what is at its declared default, the parents' keys by role,
    and where there are any the digests of foreign code, weights and data.
    """
    payload = {"key_version": KEY_VERSION, "spec": meaning(spec), "parents": dict(parents)}
    return _digest({**payload, "digests": dict(digests)} if digests else payload)


def seed_key(spec: Frozen, parents: Mapping[str, str]) -> str:
    """Return the key that seeds derive from: the settings and those of the parents (their seed keys by role), whatever the code."""
    return _digest({"spec": meaning(spec), "parents": dict(parents)})


def meaning(value: Any) -> Any:
    """A spec as plain data, without the fields that only say how something was written and those that equal their declared default.

    A new field with a default therefore changes no key.
    """
    if isinstance(value, BaseModel):
        return _of_model(value)
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, FrozenMapping):
        return [[name, meaning(item)] for name, item in value.items()]  # its order counts
    if isinstance(value, Mapping):
        return {str(name): meaning(item) for name, item in value.items()}
    return [meaning(item) for item in value] if isinstance(value, list | tuple) else value


def _of_model(value: BaseModel) -> dict[str, Any]:
    """The meaning of a spec, which is frozen; that of the last ones is kept: many jobs have an attack or an evaluation in common."""
    recent = _RECENT.get(id(value))
    if recent is not None and recent[0] is value:
        return recent[1]
    defaults = _defaults(type(value))
    found = {
        name: meaning(item)
        for name, item in (value if value.model_extra else value.__dict__.items())
        if name not in _PRESENTATION and not (name in defaults and _is_default(name, item, defaults[name]))
    }
    if len(_RECENT) >= _MOST_RECENT:
        _RECENT.clear()
    _RECENT[id(value)] = value, found
    return found


@cache
def _defaults(kind: type[BaseModel]) -> dict[str, Any]:
    """The declared defaults of a model's fields, but for its stage, which is always told."""
    return {name: field.default for name, field in kind.model_fields.items() if not field.is_required() and name != "stage"}


def _is_default(name: str, item: Any, default: Any) -> bool:
    return bool(item == default) or (name == "settings" and isinstance(item, BaseModel) and meaning(item) == {})


def _digest(payload: Any) -> str:
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def derive_seed(key: str, purpose: str) -> int:
    """Return a 63-bit seed for one purpose of one job (`sketch`, `start`, `order`, ...): independent streams from one key."""
    digest = hashlib.sha256(f"{key}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
