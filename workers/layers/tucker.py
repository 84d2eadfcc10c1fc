"""Layers whose kernel is stored in Tucker form, of any order: W = G x0 U0 x1 U1 ... (defensive tensorization, section 3)."""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

from workers.errors import JobError
from workers.layers.cost import Execution
from workers.layers.kernel import hosvd, kernel_of, over_taps
from workers.layers.recompute import Spared, computed_again
from workers.layers.sketch import LatentSketch, Scales

CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d}
"""Convolution functions by the number of spatial dimensions."""
_TRANSPOSED: dict[int, Callable[..., Tensor]] = {1: F.conv_transpose1d, 2: F.conv_transpose2d}


class TuckerKernel(nn.Module):
    """A kernel of shape `shape` as a core of shape `rank` and one factor (shape[k], rank[k]) per mode; calling it gives the kernel,
    under a fresh draw of the sketch where that is live. `fan_in` is the number of products in one output, that of a convolution unless
    given."""

    def __init__(self, shape: Sequence[int], rank: Sequence[int], *, sketch: LatentSketch, fan_in: float | None = None) -> None:
        super().__init__()
        if len(rank) != len(shape):
            raise ValueError(f"Tucker rank {tuple(rank)} for a kernel of shape {tuple(shape)}: must have one number per mode")
        bad = [
            f"mode {mode}: rank {r}, must be in [1, {d}]" for mode, (r, d) in enumerate(zip(rank, shape, strict=True)) if not 1 <= r <= d
        ]
        if bad:
            raise ValueError(f"Tucker rank {tuple(rank)} for a kernel of shape {tuple(shape)}: {'; '.join(bad)}")
        self.shape, self.rank, self.sketch = tuple(shape), tuple(rank), sketch
        self.fan_in = math.prod(self.shape[1:]) if fan_in is None else fan_in
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

    def draw(self, *, batch: int = 1) -> Scales:
        """Return the sketch's scales for this layer in one forward pass, see `LatentSketch.scales`."""
        return self.sketch.scales(self.rank, device=self.core.device, batch=batch, owner=self)

    def forward(self) -> Tensor:
        """Return the kernel, of shape `self.shape`."""
        return self.build(self.draw())

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


class TuckerLayer(nn.Module):
    """A convolution (1-d or 2-d) or a linear layer with a Tucker kernel; inputs as for `nn.Conv1d`, `nn.Conv2d` and `nn.Linear`.

    Two executions give the same outputs: `reconstruct` builds the kernel once a batch and convolves; `factorized` runs the chain
    1x1 -> core -> 1x1 through the latent channels. With draws per example the chain is always used: the scales of an example multiply
    its latent channels.

    Args:
        shape: the kernel's shape (filters, channels, *spatial); (filters, channels) is a linear layer.
        rank: its Tucker rank, one number per mode.
        sketch: the network's sketch.
        execution: one of the two.
        stride, padding, dilation: as in PyTorch, one number per spatial mode.
        bias: true for a bias, of shape (filters,).
    """

    def __init__(
        self,
        shape: Sequence[int],
        rank: Sequence[int],
        *,
        sketch: LatentSketch,
        execution: Execution = "reconstruct",
        stride: Sequence[int] = (1,),
        padding: Sequence[int] | str = (0,),
        dilation: Sequence[int] = (1,),
        bias: bool = False,
    ) -> None:
        super().__init__()
        order = len(shape) - 2
        if order != 0 and order not in CONVOLUTIONS:
            raise ValueError(f"kernel of shape {tuple(shape)}: only linear layers, 1-d and 2-d convolutions")
        self.stride, self.dilation = spread(stride, order), spread(dilation, order)
        self.kernel = TuckerKernel(shape, rank, sketch=sketch, fan_in=self._fan_in(shape))
        self.bias = nn.Parameter(torch.zeros(shape[0])) if bias else None
        self.execution = execution
        self.padding = padding if isinstance(padding, str) else spread(padding, order)
        self._order = order
        # The product into a wide core costs a tenth of that over the core's 3x3 positions; into a narrow one more, saving little.
        self._spares = 2 * rank[1] > shape[1]

    @property
    def weight(self) -> Tensor:
        """The kernel, under a fresh draw where the sketch is live: for modules that read the weights of their layers themselves.

        Raises:
            JobError: the draws are per example, and one kernel is not enough.
        """
        if self.kernel.sketch.live and self.kernel.sketch.draws == "example":
            raise JobError("draws=example: a module of this network reads the weight of one of its layers itself; draws must be batch")
        kernel: Tensor = self.kernel()
        return kernel

    def forward(self, inputs: Tensor) -> Tensor:
        scales = self.kernel.draw(batch=len(inputs))
        if self.execution == "factorized" or any(scale is not None and scale.dim() > 1 for scale in scales):
            return self._chain(inputs, scales)
        return self._through(inputs, lambda: self.kernel.build(scales), self.bias, geometry=True)

    def _chain(self, inputs: Tensor, scales: Scales) -> Tensor:
        """Compute channels -> latent channels -> core -> latent filters -> filters."""
        per_example = [scale if scale is not None and scale.dim() > 1 else None for scale in scales]
        shared = [None if own is not None else scale for own, scale in zip(per_example, scales, strict=True)]
        kernel = self.kernel
        pointwise = self._is_pointwise

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

    def _through(self, inputs: Tensor, make: Callable[[], Tensor], bias: Tensor | None, *spared: Spared, geometry: bool) -> Tensor:
        """Apply the kernel that `make` returns to the inputs. In training, where keeping that kernel and the other `spared` tensors for the
        backward pass would take much memory and recomputing them takes little time, they are recomputed."""
        made = make()
        if not (self._spares and self.kernel.core.requires_grad):
            return self._move(inputs, made, bias, geometry=geometry)
        with computed_again(Spared(made, make, list(self.kernel.parameters())), *spared):
            return self._move(inputs, made, bias, geometry=geometry)

    def _fan_in(self, shape: Sequence[int]) -> float:
        """The number of products in one output."""
        return math.prod(shape[1:])

    @property
    def _is_pointwise(self) -> bool:
        """True for a 1x1 kernel, whose stride can be applied at the first step; any other's belongs to the core."""
        return math.prod(self.kernel.shape[2:]) == 1 and not isinstance(self.padding, str) and not any(self.padding)

    def _unit(self, matrix: Tensor) -> Tensor:
        """Return a matrix as the kernel of a 1x1 convolution."""
        return matrix.reshape(*matrix.shape, *[1] * self._order)

    def _scaled(self, latent: Tensor, scale: Tensor | None) -> Tensor:
        if scale is None:
            return latent
        # A linear layer's inputs may have dimensions between the batch and the features.
        shape = (len(scale), *[1] * (latent.dim() - 2), -1) if self._order == 0 else (*scale.shape, *[1] * self._order)
        return latent * scale.view(shape)

    def _move(self, inputs: Tensor, kernel: Tensor, bias: Tensor | None, *, geometry: bool) -> Tensor:
        if self._order == 0:
            return F.linear(inputs, kernel, bias)
        if not geometry:
            return CONVOLUTIONS[self._order](inputs, kernel, bias)
        return self._convolved(inputs, kernel, bias)

    def _convolved(self, inputs: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        return CONVOLUTIONS[self._order](inputs, kernel, bias, self.stride, self.padding, self.dilation)


class TransposedTuckerLayer(TuckerLayer):
    """A transposed convolution (1-d or 2-d) with a Tucker kernel; inputs as for `nn.ConvTranspose1d` and `nn.ConvTranspose2d`.

    The kernel is (filters, channels, *spatial) as in every Tucker layer, and not (channels, filters, *spatial) as PyTorch has it; the
    chain's core is transposed, its first and last step are 1x1 convolutions. `output_padding` is PyTorch's.
    """

    def __init__(self, *args: Any, output_padding: Sequence[int] = (0,), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.output_padding = spread(output_padding, self._order)

    @property
    def weight(self) -> Tensor:
        return super().weight.transpose(0, 1)

    def _fan_in(self, shape: Sequence[int]) -> float:
        return max(1.0, math.prod(shape[1:]) / math.prod(self.stride))

    @property
    def _is_pointwise(self) -> bool:
        return False

    def _convolved(self, inputs: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        convolve = _TRANSPOSED[self._order]
        return convolve(inputs, kernel.transpose(0, 1), bias, self.stride, self.padding, self.output_padding, 1, self.dilation)


def spread(value: Sequence[int], order: int) -> tuple[int, ...]:
    """Return one value per spatial dimension; a single one applies to all."""
    return tuple(value) * order if len(value) == 1 else tuple(value)
