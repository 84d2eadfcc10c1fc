"""The kernel of a Tucker core and its factors, with a backward pass that keeps no intermediate products."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


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
