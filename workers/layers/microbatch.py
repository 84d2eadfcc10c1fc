"""One forward pass in parts, for a net whose pass over a whole batch does not fit into memory."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class Part:
    """Part of a forward pass over `count` examples.

    All parts of a pass share their random draws: each owner draws once, for all examples, at the first part. That is the order in which
    an undivided pass draws, and the generator gives the same numbers.
    """

    count: int
    place: slice
    _drawn: dict[Hashable, Any] = field(default_factory=dict)

    def at(self, place: slice) -> "Part":
        """Return another part of the same pass."""
        return replace(self, place=place)

    def drawn(self, owner: Hashable, draw: Callable[[], Drawn]) -> Drawn:
        """Return the draw of `owner` for all examples of the pass."""
        if owner not in self._drawn:
            self._drawn[owner] = draw()
        found: Drawn = self._drawn[owner]
        return found
