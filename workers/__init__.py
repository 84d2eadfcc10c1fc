"""Computation of one job: tensors only, neither Ray nor SQL. `workers.runtime.run` computes it; importing `workers` imports no torch."""

import sys

_STARTED = sys.argv[:1] == ["-m"] and "workers" in sys.orig_argv and not sys.flags.safe_path
if _STARTED and __file__ != f"{sys.path[0]}/workers/__init__.py":
    del sys.path[0]  # the current folder, which `python -m` puts before the installed code and Python's own

from importlib import import_module  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

if TYPE_CHECKING:
    from workers.artifacts.outcomes import Result
    from workers.errors import ArtifactError, DataError, JobError, UserError
    from workers.spec.job import Job
    from workers.spec.keys import KEY_VERSION

__all__ = ["KEY_VERSION", "ArtifactError", "DataError", "Job", "JobError", "Result", "UserError"]

_HOMES = {
    "KEY_VERSION": "workers.spec.keys",
    "ArtifactError": "workers.errors",
    "DataError": "workers.errors",
    "Job": "workers.spec.job",
    "JobError": "workers.errors",
    "Result": "workers.artifacts.outcomes",
    "UserError": "workers.errors",
}


def __getattr__(name: str) -> Any:
    """NumPy and pydantic take a quarter of a second to import: only those wait who ask."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
