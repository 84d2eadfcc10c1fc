"""One forward pass made in parts: for a net whose pass over a whole batch does not fit into memory."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class Part:
    """Which of the `count` examples of a pass go through the net now.

    All parts of a pass share what is drawn: whoever draws does so once, for all examples, when the first part comes by. That is the order
    in which an undivided pass draws, and the generator gives the same numbers.
    """

    count: int
    place: slice
    _drawn: dict[Hashable, Any] = field(default_factory=dict)

    def at(self, place: slice) -> "Part":
        """Another part of the same pass."""
        return replace(self, place=place)

    def drawn(self, owner: Hashable, draw: Callable[[], Drawn]) -> Drawn:
        """What `owner` drew for all examples of the pass."""
        if owner not in self._drawn:
            self._drawn[owner] = draw()
        found: Drawn = self._drawn[owner]
        return found
