"""Planning, Ray driver, results store, reports and command line. Programs begin with `open_results`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.api import Results, open_results

__all__ = ["Results", "open_results"]


def __getattr__(name: str) -> Any:
    """Import the API on first use: pandas and SQLAlchemy take a second to import."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from orchestrator import api

    return getattr(api, name)
