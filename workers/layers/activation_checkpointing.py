"""Recomputation in the backward pass of tensors that are not kept (activation checkpointing), and
forward passes in parts: less memory for the same result."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor


class Spared(NamedTuple):
    """A tensor that is not kept, the function that recomputes it bit for bit, and its source tensors."""

    tensor: Tensor
    how: Callable[[], Tensor]
    of: Sequence[Tensor]

    def recipe(self) -> Callable[[], Tensor]:
        """Return a function that recomputes the tensor; unlike this object it does not hold the tensor.

        Raises, as PyTorch does for tensors that it keeps:
            RuntimeError: a source tensor was changed in place meanwhile.
        """
        how, of = self.how, self.of
        versions = [source._version for source in of]

        def compute() -> Tensor:
            if [source._version for source in of] != versions:
                shapes = ", ".join(str(tuple(source.shape)) for source in of)
                raise RuntimeError(f"a tensor needed for a gradient was modified by an inplace operation: one of those of shapes {shapes}")
            with torch.no_grad():
                return how()

        return compute


@contextmanager
def computed_again(*spared: Spared) -> Iterator[None]:
    """Make operations inside recompute these tensors in their backward pass instead of keeping them.

    Operations on a copy of one, such as autocast's of a kernel, keep the copy.
    """
    if not torch.is_grad_enabled():
        yield
        return
    sought = [(one.tensor, one.recipe()) for one in spared]

    def pack(kept: Tensor) -> Tensor | Callable[[], Tensor]:
        return next((recipe for tensor, recipe in sought if tensor is kept), kept)

    def unpack(packed: Tensor | Callable[[], Tensor]) -> Tensor:
        return packed if isinstance(packed, Tensor) else packed()

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        yield
    sought.clear()  # PyTorch holds `pack` as long as its outputs


T = TypeVar("T")


@dataclass(frozen=True)
class NetworkPart:
    """Part of a forward pass over `count` examples.

    All parts of a pass share their random draws: each owner draws, whenever it is called, for all examples, at the first part. That is
    the order in which an undivided pass draws, and the generator gives the same numbers.
    """

    count: int
    place: slice
    _drawn: dict[Hashable, Any] = field(default_factory=dict)
    _calls: Counter[Hashable] = field(default_factory=Counter)

    def at(self, place: slice) -> "NetworkPart":
        """Return another part of the same pass, or (at its own place) this one anew, before any layer has been called."""
        return replace(self, place=place, _calls=Counter())

    def drawn(self, owner: Hashable, draw: Callable[[], T]) -> T:
        """Return the draw of `owner` for all examples of the pass; a layer that is used twice has two."""
        call = (owner, self._calls[owner])
        self._calls[owner] += 1
        if call not in self._drawn:
            self._drawn[call] = draw()
        found: T = self._drawn[call]
        return found
