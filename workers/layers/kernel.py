"""A dense kernel's Tucker decomposition, and the kernel of a core and factors, with a backward pass that keeps no products."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_ITERATIONS = 500
_ENOUGH, _ROUNDING = 1e-5, 1e-13


def hosvd(kernel: Tensor, rank: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
    """Return the core (rank) and the orthonormal factors (shape[k], rank[k]) of the best Tucker approximation found, in the kernel's type.

    Higher-order SVD (De Lathauwer, De Moor & Vandewalle, 2000a) improved by higher-order orthogonal iteration (2000b) until the error
    hardly falls, in float64. With the full rank it is exact.
    """
    tensor = kernel.detach().double()
    factors = [_leading(tensor, mode, r)[0] for mode, r in enumerate(rank)]
    _iterate(tensor, factors)
    core = _project(tensor, factors, range(len(factors)))
    return core.to(kernel.dtype), [factor.to(kernel.dtype) for factor in factors]


def mode_product(tensor: Tensor, matrix: Tensor, *, mode: int) -> Tensor:
    """Return the n-mode product (Kolda & Bader, 2009) of tensor (..., R, ...) and matrix (D, R): (..., D, ...), R and D at index `mode`."""
    product: Tensor = torch.tensordot(matrix, tensor, dims=([1], [mode]))
    return product.movedim(0, mode)


def _iterate(tensor: Tensor, factors: list[Tensor]) -> None:
    """Improve the factors of modes that are not of full rank (those of full rank only rotate the tensor)."""
    modes = [mode for mode, factor in enumerate(factors) if factor.shape[0] != factor.shape[1]]
    whole, before, kept = float(tensor.square().sum()), 0.0, 0.0
    for _ in range(_ITERATIONS if modes else 0):
        for mode in modes:
            projected = _project(tensor, factors, [other for other in modes if other != mode])
            factors[mode], kept = _leading(projected, mode, factors[mode].shape[1])
        if kept - before <= max(_ENOUGH * (whole - kept), _ROUNDING * whole):
            return
        before = kept


def _leading(tensor: Tensor, mode: int, rank: int) -> tuple[Tensor, float]:
    """Return the leading left singular vectors of the tensor's unfolding along a mode, its Gram matrix's eigenvectors, which are found
    sooner; and the sum of squares of the tensor's projection on them."""
    unfolding = tensor.movedim(mode, 0).flatten(1)
    squares, vectors = torch.linalg.eigh(unfolding @ unfolding.t())
    return vectors[:, -rank:].flip(1), float(squares[-rank:].sum())


def _project(tensor: Tensor, factors: list[Tensor], modes: Iterable[int]) -> Tensor:
    for mode in modes:
        tensor = mode_product(tensor, factors[mode].t(), mode=mode)
    return tensor


def kernel_of(core: Tensor, filters: Tensor, channels: Tensor, taps: Tensor | None) -> Tensor:
    """Return the matrix (F, T C) of a kernel with F filters, T taps (spatial positions) and C channels, channels running fastest.

    The backward pass recomputes all that it needs beyond the arguments: a sixth more work for the kernel, and two tensors of the
    kernel's size less to keep in each layer.

    Args:
        core: (R_F, R_C, R_T); a spatial core has its modes flattened.
        filters: the factor (F, R_F).
        channels: the factor (C, R_C).
        taps: the Kronecker product of the spatial factors, (T, R_T); None is the identity.
    """
    kernel: Tensor = _Kernel.apply(core, filters, channels, taps)  # type: ignore[no-untyped-call]
    return kernel


def over_taps(core: Tensor, taps: Tensor | None) -> Tensor:
    """Return the core (R_F, R_C, R_T) multiplied by `taps` (T, R_T): (R_F, R_C, T)."""
    return core if taps is None else (core.flatten(0, 1) @ taps.t()).view(*core.shape[:2], -1)


def _taps_first(core: Tensor, taps: Tensor | None) -> Tensor:
    """Return `over_taps` as (R_F T, R_C): with the taps before the channels each later product is one large matrix product."""
    return over_taps(core, taps).transpose(1, 2).flatten(0, 1)


class _Kernel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, core: Tensor, filters: Tensor, channels: Tensor, taps: Tensor | None) -> Tensor:
        ctx.save_for_backward(core, filters, channels, taps)
        return filters @ (_taps_first(core, taps) @ channels.t()).view(len(core), -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        core, filters, channels, taps = ctx.saved_tensors
        latent = _taps_first(core, taps)
        of_filters = gradient @ (latent @ channels.t()).view(len(core), -1).t()
        of_half = (filters.t() @ gradient).view(-1, len(channels))
        of_channels = of_half.t() @ latent
        of_latent = (of_half @ channels).view(len(core), -1, core.shape[1]).transpose(1, 2)
        if taps is None:
            return of_latent, of_filters, of_channels, None
        of_latent = of_latent.flatten(0, 1)
        of_taps = of_latent.t() @ core.flatten(0, 1)
        return (of_latent @ taps).view_as(core), of_filters, of_channels, of_taps
