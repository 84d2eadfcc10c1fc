"""A dense kernel's Tucker decomposition."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_ITERATIONS = 10
_ENOUGH = 1e-6


def hosvd(kernel: Tensor, rank: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
    """Return the core (rank) and the orthonormal factors (shape[k], rank[k]) of the best Tucker approximation found, in the kernel's type.

    Higher-order SVD (De Lathauwer, De Moor & Vandewalle, 2000a) improved by higher-order orthogonal iteration (2000b), in float64. With the
    full rank it is exact.
    """
    tensor = kernel.detach().double()
    factors = [_leading(tensor, mode, r) for mode, r in enumerate(rank)]
    if tuple(rank) != tuple(kernel.shape):
        _iterate(tensor, factors, rank)
    core = _project(tensor, factors)
    return core.to(kernel.dtype), [factor.to(kernel.dtype) for factor in factors]


def mode_product(tensor: Tensor, matrix: Tensor, *, mode: int) -> Tensor:
    """Return the n-mode product (Kolda & Bader, 2009) of tensor (..., R, ...) and matrix (D, R): (..., D, ...), R and D at index `mode`."""
    product: Tensor = torch.tensordot(matrix, tensor, dims=([1], [mode]))
    return product.movedim(0, mode)


def _iterate(tensor: Tensor, factors: list[Tensor], rank: Sequence[int]) -> None:
    before = 0.0
    for _ in range(_ITERATIONS):
        for mode, r in enumerate(rank):
            factors[mode] = _leading(_project(tensor, factors, but=mode), mode, r)
        kept = float(_project(tensor, factors).norm())
        if math.isclose(kept, before, rel_tol=_ENOUGH):
            return
        before = kept


def _leading(tensor: Tensor, mode: int, rank: int) -> Tensor:
    """Return the leading left singular vectors of the tensor's unfolding along a mode."""
    unfolding = tensor.movedim(mode, 0).flatten(1)
    vectors, _, _ = torch.linalg.svd(unfolding, full_matrices=unfolding.shape[1] < rank)
    leading: Tensor = vectors[:, :rank]
    return leading


def _project(tensor: Tensor, factors: list[Tensor], *, but: int | None = None) -> Tensor:
    for mode, factor in enumerate(factors):
        if mode != but:
            tensor = mode_product(tensor, factor.t(), mode=mode)
    return tensor
