"""Formatting of values and names in messages: on one line, never long."""

from collections.abc import Iterable
from itertools import islice
from reprlib import Repr

_REPR = Repr()
_REPR.maxlevel, _REPR.maxdict, _REPR.maxstring = 2, 2, 60
_MOST_NAMES = 5
_WORDS = {None: "null", True: "true", False: "false"}


def shown(value: object) -> str:
    """Return a value as the user would recognise it, on one line and never long."""
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    return _REPR.repr(value)


def word(value: object) -> str:
    """Return a value as a file writes it."""
    return _WORDS[value] if value is None or isinstance(value, bool) else str(value)


def listed(names: Iterable[str]) -> str:
    """Join names to a list that is never long."""
    first, more = list(islice(names := iter(names), _MOST_NAMES)), sum(1 for _ in names)
    return ", ".join(first) + (f" and {more} more" if more else "")
