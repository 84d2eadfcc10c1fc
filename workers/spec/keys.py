"""Job keys: a job's content address."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

KEY_VERSION = 1
"""Raise it when the same spec comes to mean another computation: every old result is then left behind, none reused wrongly."""

_PRESENTATION = frozenset({"epsilon_literal", "recipe"})
_LATER = frozenset({"crop_padding", "stage_rank_fractions", "until"})
"""Settings that came to the specs after results were stored: where they are not used, keys are what they were without them."""


def job_key(spec: Mapping[str, Any], parents: Mapping[str, str]) -> str:
    """SHA-256, as 64 hex digits, of the canonical JSON of `KEY_VERSION`, the complete spec and the parents' keys by role."""
    payload = {"key_version": KEY_VERSION, "spec": _meaning(spec), "parents": dict(parents)}
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _meaning(value: Any) -> Any:
    """The spec without the fields that only say how something was written, and without those that are not used."""
    if isinstance(value, Mapping):
        unused = {name for name in _LATER if value.get(name, _LATER) is None}
        return {name: _meaning(item) for name, item in value.items() if name not in _PRESENTATION | unused}
    return value
