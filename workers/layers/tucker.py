"""Layers whose kernel is stored in Tucker form, of any order: W = G x0 U0 x1 U1 ... (defensive tensorization, section 3)."""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Unpack

import torch
from torch import Tensor, nn

from workers.layers.activation_checkpointing import Spared
from workers.layers.kernel import hosvd, kernel_of, over_taps
from workers.layers.latent import LatentKernel, LatentLayer, LayerSettings, Transposed, divided
from workers.layers.sketch import LatentSketch, Scales


class TuckerKernel(LatentKernel):
    """A kernel of shape `shape` as a core of shape `rank` and one factor (shape[k], rank[k]) per mode."""

    factorization = "tucker"

    def __init__(self, shape: Sequence[int], rank: Sequence[int], *, sketch: LatentSketch) -> None:
        super().__init__()
        if len(rank) != len(shape):
            raise ValueError(f"Tucker rank {tuple(rank)} for a kernel of shape {tuple(shape)}: must have one number per mode")
        bad = [
            f"mode {mode}: rank {r}, must be in [1, {d}]" for mode, (r, d) in enumerate(zip(rank, shape, strict=True)) if not 1 <= r <= d
        ]
        if bad:
            raise ValueError(f"Tucker rank {tuple(rank)} for a kernel of shape {tuple(shape)}: {'; '.join(bad)}")
        self.shape, self.rank, self.sketch = tuple(shape), tuple(rank), sketch
        self.fan_in = math.prod(self.shape[1:])
        self.core = nn.Parameter(torch.empty(self.rank))
        self.factors = nn.ParameterList(torch.empty(d, r) for d, r in zip(self.shape, self.rank, strict=True))

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draw orthonormal factors and a Gaussian core, scaled so that the kernel has Kaiming's variance 2 / fan_in (He et al., 2015)."""
        for factor in self.factors:
            nn.init.orthogonal_(factor, generator=generator)
        variance = 2 / self.fan_in
        spread = math.sqrt(variance * math.prod(self.shape) / math.prod(self.rank))
        nn.init.normal_(self.core, std=spread, generator=generator)

    @torch.no_grad()
    def decompose(self, kernel: Tensor) -> None:
        """Set core and factors from a dense kernel of shape `self.shape` (see `hosvd`)."""
        core, factors = hosvd(kernel, self.rank)
        self.core.copy_(core)
        for own, factor in zip(self.factors, factors, strict=True):
            own.copy_(factor)

    def build(self, scales: Scales) -> Tensor:
        """Return the kernel under a given draw, of shape `self.shape` (a convolution's 4-d one is in channels-last memory format).

        Computed in float32 also under autocast, as is `spread_core`: the rounding errors of all products would add up.
        """
        filters, channels, *spatial = self.shape
        with torch.autocast(self.core.device.type, enabled=False):
            kernel = kernel_of(self._flat_core(), self.factor(0, scales), self.factor(1, scales), self._taps(scales))
        return kernel.view(filters, *spatial, channels).movedim(-1, 1)

    def spread_core(self, scales: Scales, *, filters: bool = False) -> Tensor:
        """Return the core with its spatial modes at full size, (rank[0], rank[1], *spatial); with `filters` the filters' mode too."""
        rows = self.shape[0] if filters else self.rank[0]
        with torch.autocast(self.core.device.type, enabled=False):
            core = over_taps(self._flat_core(), self._taps(scales)).flatten(1)
            core = self.factor(0, scales) @ core if filters else core
        return core.view(rows, self.rank[1], *self.shape[2:])

    def _flat_core(self) -> Tensor:
        """Return the core as (rank[0], rank[1], latent taps)."""
        return self.core.reshape(*self.rank[:2], -1)

    def _taps(self, scales: Scales) -> Tensor | None:
        """Return the Kronecker product of the spatial factors, (taps, latent taps): one product applies them all."""
        spatial = [self.factor(mode, scales) for mode in range(2, len(self.shape))]
        return reduce(torch.kron, spatial) if spatial else None

    def factor(self, mode: int, scales: Scales) -> Tensor:
        """Return the factor of a mode with its columns scaled, (shape[mode], rank[mode])."""
        factor: Tensor = self.factors[mode]
        scale = scales[mode]
        return factor if scale is None else factor * scale


class TuckerLayer(LatentLayer):
    """A convolution (1-d or 2-d) or a linear layer with a Tucker kernel, see `LatentLayer`; its chain is 1x1 -> core -> 1x1.

    Args:
        shape: the kernel's shape.
        rank: its Tucker rank, one number per mode.
        sketch: the network's sketch.
        others: `execution`, the geometry and `bias`, as of `LatentLayer`.
    """

    kernel: TuckerKernel

    def __init__(self, shape: Sequence[int], rank: Sequence[int], *, sketch: LatentSketch, **others: Unpack[LayerSettings]) -> None:
        super().__init__(TuckerKernel(shape, rank, sketch=sketch), **others)
        # The product into a wide core costs a tenth of that over the core's 3x3 positions; into a narrow one more, saving little.
        self._spares = 2 * rank[1] > shape[1]

    def _chain(self, inputs: Tensor, scales: Scales) -> Tensor:
        """Compute channels -> latent channels -> core -> latent filters -> filters."""
        shared, per_example = divided(scales)
        kernel, pointwise = self.kernel, self._is_pointwise  # any other stride belongs to the core

        def narrow() -> Tensor:
            return self._unit(kernel.factor(1, shared).t())

        latent = self._scaled(self._through(inputs, narrow, None, geometry=pointwise), per_example[1])
        dtype = latent.dtype  # autocast, which is off in the backward pass, may have chosen it

        def narrowed() -> Tensor:
            return self._scaled(self._move(inputs.to(dtype), narrow().to(dtype), None, geometry=pointwise), per_example[1])

        again = Spared(latent, narrowed, [inputs, kernel.factors[1]])
        if pointwise and per_example[0] is None:
            # No operation between core and filters: one product less.
            return self._through(latent, lambda: kernel.spread_core(shared, filters=True), self.bias, again, geometry=False)
        latent = self._through(latent, lambda: kernel.spread_core(shared), None, again, geometry=not pointwise)
        latent = self._scaled(latent, per_example[0])
        return self._through(latent, lambda: self._unit(kernel.factor(0, shared)), self.bias, geometry=False)


class TransposedTuckerLayer(Transposed, TuckerLayer):
    """A transposed convolution with such a kernel, see `Transposed`."""
