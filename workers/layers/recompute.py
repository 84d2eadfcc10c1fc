"""Tensors that a backward pass computes again instead of finding them kept."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor


class Spared(NamedTuple):
    """A tensor that is not kept, how it is computed again, bit for bit, and of which tensors."""

    tensor: Tensor
    how: Callable[[], Tensor]
    of: Sequence[Tensor]

    def recipe(self) -> Callable[[], Tensor]:
        """Computes the tensor again; unlike this object it does not hold it.

        Raises, as PyTorch does for tensors that it keeps:
            RuntimeError: one that it is computed of was changed in place meanwhile.
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
    """Inside, operations do not keep these tensors for their backward pass, where they are computed again.

    Operations that take a copy of one, as autocast makes of a kernel, keep the copy.
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
    sought.clear()  # PyTorch holds `pack` for as long as what it made
