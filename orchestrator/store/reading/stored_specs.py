"""Job specs as the store has them: of any version, of components that may not be installed here."""

import json
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrator.naming.varying_axes import plain
from workers.registry import REGISTRIES
from workers.spec.component import STORED
from workers.spec.job import components_of
from workers.spec.stage_specs import JobSpec

_SPEC: TypeAdapter[JobSpec] = TypeAdapter(JobSpec)


def stored_spec(text: str) -> JobSpec | None:
    """The spec in a stored JSON text; None where it is none of today's."""
    return _spec(text, tuple(registry.version for registry in REGISTRIES.values()))


@lru_cache(maxsize=1024)
def _spec(text: str, versions: tuple[int, ...]) -> JobSpec | None:  # noqa: ARG001 (what is registered changes with them)
    try:
        return _SPEC.validate_json(text, context=STORED)
    except ValidationError:
        return None


def missing_components(spec: JobSpec) -> tuple[str, ...]:
    """The components of a spec that are not installed here, as `attack 'mine'`."""
    parts = [part for part in components_of(spec) if not part.is_installed]
    return tuple(dict.fromkeys(f"{part.registry.kind} '{getattr(part, part.named_by)}'" for part in parts))


def runnable_spec(text: str) -> JobSpec | None:
    """The spec in a stored JSON text; None where it names components that are not installed here."""
    spec = stored_spec(text)
    return None if spec is None or missing_components(spec) else spec


def flat_spec(text: str) -> dict[str, Any]:
    """A stored spec as plain data, the own settings of each component among its other fields, as a space file has them.

    One that is none of today's is as it is stored.
    """
    spec = stored_spec(text)
    if spec is None:
        found: dict[str, Any] = json.loads(text)
        return found
    return plain(spec)
