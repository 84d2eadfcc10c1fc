"""Planning, Ray driver, results store, reports and command line. Programs begin with `open_results`."""

import sys

_STARTED = sys.argv[:1] == ["-m"] and "orchestrator.cli.main" in sys.orig_argv and not sys.flags.safe_path
if _STARTED and __file__ != f"{sys.path[0]}/orchestrator/__init__.py":
    del sys.path[0]  # the current folder, which `python -m` puts before the installed code and Python's own

from typing import TYPE_CHECKING, Any  # noqa: E402

if TYPE_CHECKING:
    from orchestrator.api.results import Results, open_results, pivot

__all__ = ["Results", "open_results", "pivot"]


def __getattr__(name: str) -> Any:
    """Import the API on first use: pandas and SQLAlchemy take a second to import."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from orchestrator.api import results

    return getattr(results, name)
