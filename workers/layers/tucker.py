"""Layers whose kernel is held in Tucker form, of any order: W = G x0 U0 x1 U1 ... (defensive tensorization, section 3)."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

from workers.fields import RankKind
from workers.layers.sketch import LatentSketch

_CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d}


def resolve_rank(shape: Sequence[int], fraction: float, *, kind: RankKind) -> tuple[int, ...]:
    """The Tucker rank, one integer per mode, that `fraction` in (0, 1] asks for.

    Args:
        shape: the kernel's shape (filters, channels, *spatial).
        fraction: the requested share.
        kind: share of what: `channels`, of the first two dimensions, the spatial ones staying full; `dimensions`, of each
            dimension; `parameters`, of the dense kernel's number of parameters (TensorLy's `validate_tucker_rank`).
    """
    if kind == "parameters":
        from tensorly.tucker_tensor import validate_tucker_rank

        return tuple(min(int(r), d) for r, d in zip(validate_tucker_rank(tuple(shape), rank=float(fraction)), shape, strict=True))
    sketched = len(shape) if kind == "dimensions" else 2
    return tuple(max(1, round(fraction * d)) if mode < sketched else d for mode, d in enumerate(shape))


class TuckerKernel(nn.Module):
    """A kernel of shape `shape` as a core of shape `rank` and one factor (shape[k], rank[k]) per mode; calling it gives the kernel,
    under a fresh draw of the sketch where that is live."""

    def __init__(self, shape: Sequence[int], rank: Sequence[int], *, sketch: LatentSketch) -> None:
        super().__init__()
        bad = [
            f"mode {mode}: rank {r}, must be in [1, {d}]" for mode, (r, d) in enumerate(zip(rank, shape, strict=True)) if not 1 <= r <= d
        ]
        if bad:
            raise ValueError(f"Tucker rank {tuple(rank)} for a kernel of shape {tuple(shape)}: {'; '.join(bad)}")
        self.shape, self.rank, self.sketch = tuple(shape), tuple(rank), sketch
        self.core = nn.Parameter(torch.empty(self.rank))
        self.factors = nn.ParameterList(torch.empty(d, r) for d, r in zip(self.shape, self.rank, strict=True))

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Orthonormal factors and a Gaussian core, scaled so that the kernel has Kaiming's variance 2 / fan_in (He et al., 2015)."""
        for factor in self.factors:
            nn.init.orthogonal_(factor, generator=generator)
        variance = 2 / math.prod(self.shape[1:])
        spread = math.sqrt(variance * math.prod(self.shape) / math.prod(self.rank))
        nn.init.normal_(self.core, std=spread, generator=generator)

    def forward(self) -> Tensor:
        """The kernel, of shape `self.shape`; float32 also under autocast, since rounding every product of the chain would add up."""
        with torch.autocast(self.core.device.type, enabled=False):
            return self._reconstructed()

    def _reconstructed(self) -> Tensor:
        kernel: Tensor = self.core
        scales = self.sketch.scales(self.rank, device=kernel.device)
        # Spatial modes first, while the tensor is small; filters last, which leaves the result contiguous.
        for mode in reversed(range(len(self.shape))):
            factor, scale = self.factors[mode], scales[mode]
            kernel = mode_product(kernel, factor if scale is None else factor * scale, mode=mode)
        return kernel


def mode_product(tensor: Tensor, matrix: Tensor, *, mode: int) -> Tensor:
    """The n-mode product (Kolda & Bader, 2009): tensor (..., R, ...) and matrix (D, R) give (..., D, ...), R and D in place `mode`."""
    product: Tensor = torch.tensordot(matrix, tensor, dims=([1], [mode]))
    return product.movedim(0, mode)


class TuckerConv(nn.Module):
    """A 1-d or 2-d convolution with a Tucker kernel; inputs (batch, channels, *spatial) as for `nn.Conv1d` and `nn.Conv2d`."""

    def __init__(
        self,
        shape: Sequence[int],
        rank: Sequence[int],
        *,
        sketch: LatentSketch,
        stride: Sequence[int] = (1,),
        padding: Sequence[int] | str = (0,),
        dilation: Sequence[int] = (1,),
        bias: bool = False,
    ) -> None:
        super().__init__()
        order = len(shape) - 2
        if order not in _CONVOLUTIONS:
            raise ValueError(f"kernel of shape {tuple(shape)}: only 1-d and 2-d convolutions")
        self.kernel = TuckerKernel(shape, rank, sketch=sketch)
        self.bias = nn.Parameter(torch.zeros(shape[0])) if bias else None
        self.stride, self.dilation = _spread(stride, order), _spread(dilation, order)
        self.padding = padding if isinstance(padding, str) else _spread(padding, order)
        self._convolve = _CONVOLUTIONS[order]

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self._convolve(inputs, self.kernel(), self.bias, self.stride, self.padding, self.dilation)
        return outputs


def _spread(value: Sequence[int], order: int) -> tuple[int, ...]:
    return tuple(value) * order if len(value) == 1 else tuple(value)
