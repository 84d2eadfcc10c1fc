"""When and where jobs run: plan, Ray driver, results store, reports, command line. `open_results` is the way in for programs."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.api import Results, open_results

__all__ = ["Results", "open_results"]


def __getattr__(name: str) -> Any:
    """pandas and SQLAlchemy take a second to import: only those wait who ask."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from orchestrator import api

    return getattr(api, name)
