"""Base of layers whose kernel is stored in factors that meet in latent components, some of which a sketch drops."""

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

from workers.errors import JobError
from workers.layers.activation_checkpointing import Spared, computed_again
from workers.layers.cost import Execution
from workers.layers.sketch import LatentSketch, Scales
from workers.spec.fields import Factorization

CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d}
"""Convolution functions by the number of spatial dimensions."""
_TRANSPOSED: dict[int, Callable[..., Tensor]] = {1: F.conv_transpose1d, 2: F.conv_transpose2d}


class LatentKernel(nn.Module, ABC):
    """A kernel (filters, channels, *spatial) in factors; calling it gives the kernel, under a fresh draw of the sketch where that is live.

    `rank` is the number of components of each of its latent dimensions, which the sketch draws from.
    """

    factorization: ClassVar[Factorization]
    shape: tuple[int, ...]
    rank: tuple[int, ...]
    sketch: LatentSketch
    fan_in: float
    """Number of products in one output, by which random weights are scaled."""

    @abstractmethod
    def initialise(self, generator: torch.Generator) -> None:
        """Draw factors such that the kernel has Kaiming's variance 2 / fan_in (He et al., 2015)."""

    @abstractmethod
    def decompose(self, kernel: Tensor) -> None:
        """Set the factors from a dense kernel of shape `self.shape`."""

    @abstractmethod
    def build(self, scales: Scales) -> Tensor:
        """Return the kernel under a given draw, of shape `self.shape`, in float32 also under autocast."""

    def draw(self, *, batch: int = 1) -> Scales:
        """Return the sketch's scales for this layer in one forward pass, see `LatentSketch.scales`."""
        return self.sketch.scales(self.rank, device=next(self.parameters()).device, batch=batch, owner=self)

    def forward(self) -> Tensor:
        """Return the kernel, of shape `self.shape`."""
        return self.build(self.draw())


class LayerSettings(TypedDict, total=False):
    """Settings of a layer in addition to its kernel, see `LatentLayer`."""

    execution: Execution
    stride: Sequence[int]
    padding: Sequence[int] | str
    dilation: Sequence[int]
    bias: bool


class LatentLayer(nn.Module, ABC):
    """A convolution (1-d or 2-d) or a linear layer with a kernel in factors; inputs as for `nn.Conv1d`, `nn.Conv2d` and `nn.Linear`.

    Two executions give the same outputs: `reconstruct` builds the kernel once a batch and convolves; `factorized` runs a chain of cheaper
    convolutions through the latent components. With draws per example the chain is always used: the scales of an example multiply
    its latent channels.

    Args:
        kernel: of shape (filters, channels, *spatial); (filters, channels) is a linear layer.
        execution: one of the two.
        stride, padding, dilation: as in PyTorch, one number per spatial mode.
        bias: true for a bias, of shape (filters,).
    """

    def __init__(
        self,
        kernel: LatentKernel,
        *,
        execution: Execution = "reconstruct",
        stride: Sequence[int] = (1,),
        padding: Sequence[int] | str = (0,),
        dilation: Sequence[int] = (1,),
        bias: bool = False,
    ) -> None:
        super().__init__()
        order = len(kernel.shape) - 2
        if order != 0 and order not in CONVOLUTIONS:
            raise ValueError(f"kernel of shape {kernel.shape}: only linear layers, 1-d and 2-d convolutions")
        self.kernel = kernel
        self.bias = nn.Parameter(torch.zeros(kernel.shape[0])) if bias else None
        self.execution = execution
        self.stride, self.dilation = spread(stride, order), spread(dilation, order)
        self.padding = padding if isinstance(padding, str) else spread(padding, order)
        self._order = order
        self._spares = False
        self._kept: tuple[list[nn.Parameter], list[tuple[int, torch.device, torch.dtype]], Tensor] | None = None

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
        scales = self.kernel.draw(batch=inputs.shape[0])  # `len` would fix the size of the batch in an exported program
        if self.execution == "factorized" or any(scale is not None and scale.dim() > 1 for scale in scales):
            return self._chain(inputs, scales)
        return self._through(inputs, lambda: self._built(scales), self.bias, geometry=True)

    def _built(self, scales: Scales) -> Tensor:
        """Return the kernel under a draw. Of weights that are neither trained nor scaled it is kept from pass to pass until they change:
        building it takes a fifth of an attack's gradient on small batches."""
        weights = list(self.kernel.parameters())
        if any(scale is not None for scale in scales) or any(weight.requires_grad for weight in weights):
            return self.kernel.build(scales)
        elsewhere = torch.compiler.is_compiling() or torch.is_inference_mode_enabled()  # tensors made there are for there alone
        if elsewhere or torch.is_autocast_enabled(weights[0].device.type):
            return self.kernel.build(scales)
        state = [(weight._version, weight.device, weight.dtype) for weight in weights]
        if self._kept is None or self._kept[1] != state or any(map(operator.is_not, self._kept[0], weights)):
            self._kept = weights, state, self.kernel.build(scales)
        return self._kept[2]

    @abstractmethod
    def _chain(self, inputs: Tensor, scales: Scales) -> Tensor:
        """Compute the layer through its latent components."""

    @property
    def _is_pointwise(self) -> bool:
        """True for a 1x1 kernel, whose stride can be applied at the chain's first step; any other's belongs to the core."""
        return math.prod(self.kernel.shape[2:]) == 1 and not isinstance(self.padding, str) and not any(self.padding)

    def _through(self, inputs: Tensor, make: Callable[[], Tensor], bias: Tensor | None, *spared: Spared, geometry: bool) -> Tensor:
        """Apply the kernel that `make` returns to the inputs. In training, where keeping that kernel and the other `spared` tensors for the
        backward pass would take much memory and recomputing them takes little time, they are recomputed."""
        made = make()
        if not (self._spares and next(self.kernel.parameters()).requires_grad):
            return self._move(inputs, made, bias, geometry=geometry)
        with computed_again(Spared(made, make, list(self.kernel.parameters())), *spared):
            return self._move(inputs, made, bias, geometry=geometry)

    def _unit(self, matrix: Tensor) -> Tensor:
        """Return a matrix as the kernel of a 1x1 convolution."""
        return matrix.reshape(*matrix.shape, *[1] * self._order)

    def _scaled(self, latent: Tensor, scale: Tensor | None) -> Tensor:
        if scale is None:
            return latent
        # A linear layer's inputs may have dimensions between the batch and the features.
        shape = (len(scale), *[1] * (latent.dim() - 2), -1) if self._order == 0 else (*scale.shape, *[1] * self._order)
        return latent * scale.view(shape)

    def _move(self, inputs: Tensor, kernel: Tensor, bias: Tensor | None, *, geometry: bool, groups: int = 1) -> Tensor:
        if self._order == 0:
            return F.linear(inputs, kernel, bias)
        if not geometry:
            return CONVOLUTIONS[self._order](inputs, kernel, bias)
        return self._convolved(inputs, kernel, bias, groups)

    def _convolved(self, inputs: Tensor, kernel: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        return CONVOLUTIONS[self._order](inputs, kernel, bias, self.stride, self.padding, self.dilation, groups)


class Transposed(LatentLayer):
    """A transposed convolution (1-d or 2-d) with a kernel in factors; inputs as for `nn.ConvTranspose1d` and `nn.ConvTranspose2d`.

    The kernel is (filters, channels, *spatial) as in every layer in factors, and not (channels, filters, *spatial) as PyTorch has it; the
    chain's middle step is transposed, its first and last step are 1x1 convolutions. `output_padding` is PyTorch's.
    """

    def __init__(self, *args: Any, output_padding: Sequence[int] = (0,), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.output_padding = spread(output_padding, self._order)
        self.kernel.fan_in = max(1.0, math.prod(self.kernel.shape[1:]) / math.prod(self.stride))

    @property
    def weight(self) -> Tensor:
        return super().weight.transpose(0, 1)

    @property
    def _is_pointwise(self) -> bool:
        return False

    def _convolved(self, inputs: Tensor, kernel: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        kernel = kernel.transpose(0, 1) if groups == 1 else kernel  # a component of its own has one filter and one channel
        convolve = _TRANSPOSED[self._order]
        return convolve(inputs, kernel, bias, self.stride, self.padding, self.output_padding, groups, self.dilation)


def divided(scales: Scales) -> tuple[Scales, Scales]:
    """Return the scales that all examples share, and those of one example each; None in the place of the others."""
    per_example = [scale if scale is not None and scale.dim() > 1 else None for scale in scales]
    return [None if own is not None else scale for own, scale in zip(per_example, scales, strict=True)], per_example


def spread(value: Sequence[int], order: int) -> tuple[int, ...]:
    """Return one value per spatial dimension; a single one applies to all."""
    return tuple(value) * order if len(value) == 1 else tuple(value)
