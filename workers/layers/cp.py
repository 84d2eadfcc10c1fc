"""Layers whose kernel is in CP form: a sum of rank-one terms, each the outer product of one vector per mode (Lebedev et al., 2015)."""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Unpack

import numpy as np
import torch
from torch import Tensor, nn

from workers.layers.latent import LatentKernel, LatentLayer, LayerSettings, Transposed, divided
from workers.layers.sketch import LatentSketch, Scales

_ITERATIONS, _TOLERANCE = 100, 1e-7


class CPKernel(LatentKernel):
    """A kernel of shape `shape` as one factor (shape[k], R) per mode: W = sum over r of w_r U0[:, r] o U1[:, r] o ..., all w_r being 1.

    Its latent is the vector w of R weights (the superdiagonal core of CP as a Tucker form), and the sketch draws from that: w_r is
    lambda_r, i.i.d. Bernoulli(theta), over theta with `rescale`. Then E[w_r] = 1, W is linear in w, and so E[sketched W] = W, with the
    one factor 1/theta where Tucker form has one per sketched mode. A dropped r leaves out its column of every factor, as the
    paper's sketch of a core does.
    """

    factorization = "cp"

    def __init__(self, shape: Sequence[int], rank: Sequence[int], *, sketch: LatentSketch) -> None:
        super().__init__()
        if len(rank) != 1 or rank[0] < 1:
            raise ValueError(f"CP rank {tuple(rank)} for a kernel of shape {tuple(shape)}: must be one number >= 1")
        self.shape, self.rank, self.sketch = tuple(shape), tuple(rank), sketch
        self.fan_in = math.prod(self.shape[1:])
        self.factors = nn.ParameterList(torch.empty(d, rank[0]) for d in self.shape)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draw Gaussian factors, all with one deviation, such that the kernel has Kaiming's variance 2 / fan_in (He et al., 2015)."""
        variance = 2 / self.fan_in / self.rank[0]
        for factor in self.factors:
            nn.init.normal_(factor, std=variance ** (0.5 / len(self.shape)), generator=generator)

    @torch.no_grad()
    def decompose(self, kernel: Tensor) -> None:
        """Set the factors from a dense kernel of shape `self.shape` (see `cp_factors`)."""
        for own, factor in zip(self.factors, cp_factors(kernel, self.rank[0]), strict=True):
            own.copy_(factor)

    def build(self, scales: Scales) -> Tensor:
        """Return the kernel under a given draw (a convolution's 4-d one is in channels-last memory format)."""
        filters, channels, *spatial = self.shape
        with torch.autocast(self.factors[0].device.type, enabled=False):
            kernel = self.filters(scales) @ _khatri_rao([*self.factors[2:], self.factors[1]]).t()
        return kernel.view(filters, *spatial, channels).movedim(-1, 1)

    def filters(self, scales: Scales) -> Tensor:
        """Return the filters' factor with the latent weights, (filters, R)."""
        (scale,) = scales
        factor: Tensor = self.factors[0]
        return factor if scale is None else factor * scale

    def taps(self) -> Tensor:
        """Return the kernels of a convolution that treats each component by itself, (R, 1, *spatial)."""
        return _khatri_rao(list(self.factors[2:])).t().reshape(self.rank[0], 1, *self.shape[2:])


class CPLayer(LatentLayer):
    """A convolution (1-d or 2-d) or a linear layer with a CP kernel, see `LatentLayer`.

    Its chain is 1x1 -> one kernel for each component -> 1x1. The middle step is one depthwise convolution of the components' spatial
    kernels and not one for each spatial mode: a step less in which each latent channel is read and written.

    Args:
        shape: the kernel's shape.
        rank: its CP rank, one number.
        sketch: the network's sketch.
        others: `execution`, the geometry and `bias`, as of `LatentLayer`.
    """

    kernel: CPKernel

    def __init__(self, shape: Sequence[int], rank: Sequence[int], *, sketch: LatentSketch, **others: Unpack[LayerSettings]) -> None:
        super().__init__(CPKernel(shape, rank, sketch=sketch), **others)

    def _chain(self, inputs: Tensor, scales: Scales) -> Tensor:
        """Compute channels -> components -> components -> filters."""
        (shared, per_example), kernel, pointwise = divided(scales), self.kernel, self._is_pointwise
        latent = self._move(inputs, self._unit(kernel.factors[1].t()), None, geometry=pointwise)
        latent = self._scaled(latent, per_example[0])
        filters = kernel.filters(shared)
        if not pointwise:
            latent = self._move(latent, kernel.taps(), None, geometry=True, groups=kernel.rank[0])
        elif self._order:
            filters = filters * kernel.taps().flatten()
        return self._move(latent, self._unit(filters), self.bias, geometry=False)


class TransposedCPLayer(Transposed, CPLayer):
    """A transposed convolution with such a kernel, see `Transposed`."""


def cp_factors(kernel: Tensor, rank: int) -> list[Tensor]:
    """Return the factors (shape[k], rank) of an approximate CP form of a kernel, in its type; a component has one length in all of them.

    By alternating least squares from the leading singular vectors (TensorLy's `parafac`), in float64. A matrix, and with spatial modes
    of one position, is decomposed by its SVD; with as many components as any kernel of its shape needs the form is exact.
    """
    tensor = kernel.detach().cpu().double()
    if math.prod(tensor.shape[2:]) == 1:
        factors = _of_matrix(tensor, rank)
    elif rank == math.prod(tensor.shape) // max(tensor.shape):
        factors = _exact(tensor)
    else:
        factors = _by_least_squares(tensor, rank)
    lengths = torch.stack([factor.norm(dim=0) for factor in factors])
    length = lengths.prod(dim=0) ** (1 / len(factors))
    return [(factor * (length / own.clamp_min(1e-300))).to(kernel) for factor, own in zip(factors, lengths, strict=True)]


def _of_matrix(tensor: Tensor, rank: int) -> list[Tensor]:
    left, values, right = torch.linalg.svd(tensor.flatten(1), full_matrices=False)
    return [left[:, :rank] * values[:rank], right[:rank].t(), *[tensor.new_ones(1, rank)] * (tensor.dim() - 2)]


def _exact(tensor: Tensor) -> list[Tensor]:
    """One component for each fibre along the longest mode: the fibre, and a unit vector in every other mode."""
    longest = max(range(tensor.dim()), key=lambda mode: tensor.shape[mode])
    others = [d for mode, d in enumerate(tensor.shape) if mode != longest]
    places = torch.cartesian_prod(*map(torch.arange, others)).view(-1, len(others))
    factors = [torch.eye(d, dtype=tensor.dtype)[:, places[:, number]] for number, d in enumerate(others)]
    factors.insert(longest, tensor.movedim(longest, 0).flatten(1))
    return factors


def _by_least_squares(tensor: Tensor, rank: int) -> list[Tensor]:
    import tensorly
    from tensorly.decomposition import parafac

    start = tensorly.cp_tensor.CPTensor((np.ones(rank), [_leading(tensor, mode, rank).numpy() for mode in range(tensor.dim())]))
    with tensorly.backend_context("numpy", local_threadsafe=True):
        found = parafac(tensor.numpy(), rank, n_iter_max=_ITERATIONS, tol=_TOLERANCE, init=start)
    return [torch.from_numpy(factor) for factor in found.factors]


def _leading(tensor: Tensor, mode: int, rank: int) -> Tensor:
    """Return the leading left singular vectors of the unfolding along a mode, (shape[mode], rank), random ones after the last."""
    vectors = torch.linalg.svd(tensor.movedim(mode, 0).flatten(1), full_matrices=False)[0][:, :rank]
    others = torch.randn(len(vectors), rank - vectors.shape[1], generator=torch.Generator().manual_seed(mode), dtype=tensor.dtype)
    return torch.cat([vectors, others], dim=1)


def _khatri_rao(factors: Sequence[Tensor]) -> Tensor:
    """Return the columnwise Kronecker product of matrices with R columns, (product of their rows, R)."""
    return reduce(lambda left, right: (left[:, None] * right).flatten(0, 1), factors)
