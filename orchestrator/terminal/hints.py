"""Commands of this program that it prints for a person to paste: made in one place, so that each leads to the same sweeps, in any shell."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from orchestrator.paths import DEFAULT_HOME, Paths, shown_url, store_options
from orchestrator.terminal.console import shell_command

_PLACELESS = frozenset({"check-plugin", "components", "explain", "init", "spaces", "verify"})
_WITHOUT_ARTIFACTS = frozenset({"best", "compare", "db upgrade", "query", "results", "retry", "robustbench", "status", "study", "verdicts"})
_given: ContextVar[tuple[str, ...] | None] = ContextVar("places given to the running command", default=None)


def command(*words: str, at: Paths | URL | None = None, more: Sequence[str] = ()) -> str:
    """Return the `robustsweep` command of these words, quoted for sh, bash and zsh, with the options of the places of sweeps.

    A password in the store's URL is hidden. Without `at` the places are those given to the command that runs; with the address of a store
    alone too, where a command runs, since the store knows nothing of the artifacts.

    Args:
        words: the command's name, or names (`db`, `check`), and its arguments.
        at: the places.
        more: options that follow them.
    """
    return shell_command(["robustsweep", *words, *_taken(words, _places(at)), *more])


@contextmanager
def repeated(options: Mapping[str, Any]) -> Iterator[None]:
    """Inside, the hints repeat `home`, `store` and `artifacts` of these options of a command, where they are given."""
    home, store, artifacts = (options.get(name) for name in ("home", "store", "artifacts"))
    words = ["--home", str(home)] if home not in (None, DEFAULT_HOME) else []
    words += ["--store", _hidden(store)] if store else []
    words += ["--artifacts", str(artifacts)] if artifacts else []
    before = _given.set(tuple(words))
    try:
        yield
    finally:
        _given.reset(before)


def _places(at: Paths | URL | None) -> Sequence[str]:
    """The options of the places, as words."""
    if isinstance(at, Paths):
        return at.options
    given = _given.get()
    if given is not None:
        return given
    return () if at is None else store_options(at)


def _taken(words: Sequence[str], places: Sequence[str]) -> Sequence[str]:
    """Those of the places' options that the command takes."""
    if words[0] in _PLACELESS:
        return ()
    pairs = zip(places[::2], places[1::2], strict=True)
    refused = "--artifacts" if {words[0], " ".join(words[:2])} & _WITHOUT_ARTIFACTS else ""
    return [word for pair in pairs if pair[0] != refused for word in pair]


def _hidden(store: str) -> str:
    """The URL of a store without its password; one that is none is said to be wrong elsewhere."""
    try:
        return shown_url(make_url(store))
    except (ArgumentError, ValueError):
        return "URL"
