"""Binary convolutions (Rastegari et al., 2016, "XNOR-Net"): signs of inputs and weights are convolved, their magnitudes multiplied in."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, get_args

import torch
from torch import Tensor, nn

from workers.layers.latent import CONVOLUTIONS, LatentKernel, spread
from workers.spec.fields import SignGradientName

_TANH075 = 0.75


def _identity(inputs: Tensor) -> Tensor:
    return (inputs.abs() <= 1).to(inputs.dtype)


def _tanh(inputs: Tensor) -> Tensor:
    return 1 - inputs.tanh().square()


def _tanh075(inputs: Tensor) -> Tensor:
    return _TANH075 * _tanh(_TANH075 * inputs)


_DERIVATIVES: dict[SignGradientName, Callable[[Tensor], Tensor]] = {"identity": _identity, "tanh": _tanh, "tanh075": _tanh075}


class SignGradient:
    """Derivative that all binary layers of one network use for the activations' sign in the backward pass.

    `identity` is the straight-through estimator, 1 on [-1, 1] and 0 elsewhere, which training uses; `tanh` is the derivative of
    tanh(x) and `tanh075` that of tanh(0.75 x) (defensive tensorization, table 4). The forward pass is the same under each.
    """

    def __init__(self) -> None:
        self._name: SignGradientName = "identity"

    @property
    def name(self) -> SignGradientName:
        """The derivative in use."""
        return self._name

    @contextmanager
    def using(self, name: SignGradientName) -> Iterator[None]:
        """Differentiate forward passes inside with `name` (also in a backward pass after the context has ended).

        Raises:
            ValueError: there is no such derivative.
        """
        if name not in _DERIVATIVES:
            raise ValueError(f"sign_gradient '{name}': one of {', '.join(get_args(SignGradientName))}")
        before, self._name = self._name, name
        try:
            yield
        finally:
            self._name = before

    def sign(self, inputs: Tensor) -> Tensor:
        """Return -1 where `inputs` is negative and +1 elsewhere, zero included; of the same shape and type."""
        signs: Tensor = _Sign.apply(inputs, self._name)  # type: ignore[no-untyped-call]
        return signs


def binary_kernel(kernel: Tensor, *, magnified: bool = True) -> Tensor:
    """Return alpha sign(W), with sign(0) = +1 and alpha the mean |W| of each filter (XNOR-Net, section 3.1, equation 6).

    Its gradient is XNOR-Net's (section 3.1, "Training Binary-Weights-Networks"), dC/dW = dC/d(alpha sign(W)) (1/n + alpha [|W| <= 1])
    with n weights in a filter and C the loss, times n as in the authors' code (`updateBinaryGradWeight` in `util.lua`): without it SGD
    hardly moves a weight; to Adam it makes no difference. That code also multiplies by 1 - 1/channels, since it subtracts the mean over
    the channels from the weights first, which the paper does not mention and which is not done here.
    The gradient is elementwise: the other weights' part in alpha is left out.

    Without `magnified`, alpha sign(W) is differentiated as the W that it approximates, dC/dW = dC/d(alpha sign(W)) [|W| <= 1]. Kernels
    made of factors need this: one step of theirs moves the kernel many times as far as a step of single weights, and with
    the factor n (some 20 times larger) SGD at its usual rate leaves the network at chance.

    Args:
        kernel: real weights (filters, channels, *spatial).
        magnified: true for XNOR-Net's gradient, for weights that are parameters themselves.
    """
    binary: Tensor = _BinaryKernel.apply(kernel, magnified)  # type: ignore[no-untyped-call]
    return binary


class DenseKernel(nn.Module):
    """A kernel of shape `shape` stored weight by weight: the counterpart of `LatentKernel` for a dense layer."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(tuple(shape)))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.weight.shape)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draw Gaussian weights of Kaiming's variance 2 / fan_in (He et al., 2015)."""
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu", generator=generator)

    def forward(self) -> Tensor:
        """Return the kernel, of shape `self.shape`."""
        return self.weight


class BinaryConv(nn.Module):
    """A 1-d or 2-d convolution of signs, I * W ~ (sign(I) conv sign(W)) . K . alpha (XNOR-Net, section 3.2, equation 11).

    `alpha` is the mean |W| of each filter, K the mean |I| over the channels under a box filter of the kernel's size, with
    the kernel's stride, padding and dilation. A kernel in factors is made first, under its sketch where that is live, then binarised.

    Padding adds zeros to I, and no signs: a position outside the input counts neither in the convolution of signs nor in K's sum
    (whose box stays the whole one), as in the real convolution. With sign(0) = +1 it would instead
    add the sum of the border's sign(W) to every border output, for any input.

    Gradients: that of sign(I) is defined by `signs`, those of sign(W) and alpha by `binary_kernel` (magnified for a dense kernel), that of
    K is exact.

    Inputs (batch, channels, *spatial) of any real values, outputs as of `nn.Conv1d` and `nn.Conv2d`.
    """

    box: Tensor

    def __init__(
        self,
        kernel: DenseKernel | LatentKernel,
        *,
        signs: SignGradient,
        stride: Sequence[int] = (1,),
        padding: Sequence[int] | str = (0,),
        dilation: Sequence[int] = (1,),
        bias: bool = False,
    ) -> None:
        super().__init__()
        filters, _, *spatial = kernel.shape
        order = len(spatial)
        if order not in CONVOLUTIONS:
            raise ValueError(f"kernel of shape {kernel.shape}: only 1-d and 2-d convolutions")
        self.kernel, self.signs = kernel, signs
        self.bias = nn.Parameter(torch.zeros(filters)) if bias else None
        self.stride, self.dilation = spread(stride, order), spread(dilation, order)
        self.padding = padding if isinstance(padding, str) else spread(padding, order)
        self.register_buffer("box", torch.ones((1, 1, *spatial)), persistent=False)
        self._convolve = CONVOLUTIONS[order]

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self._moved(self.signs.sign(inputs), self.binary_kernel()) * self.magnitudes(inputs)
        return outputs if self.bias is None else outputs + self.bias.view(-1, *[1] * (inputs.dim() - 2))

    def binary_kernel(self) -> Tensor:
        """Return alpha sign(W), of the kernel's shape, under a fresh draw where a sketch is live."""
        return binary_kernel(self.kernel(), magnified=isinstance(self.kernel, DenseKernel))

    def magnitudes(self, inputs: Tensor) -> Tensor:
        """Return K: inputs (batch, channels, *spatial) to (batch, 1, *spatial of the outputs)."""
        return self._moved(inputs.abs().mean(dim=1, keepdim=True), self.box) / self.box.numel()

    def _moved(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        outputs: Tensor = self._convolve(inputs, kernel, None, self.stride, self.padding, self.dilation)
        return outputs


def _signs(values: Tensor) -> Tensor:
    return (values >= 0).to(values.dtype).mul_(2).sub_(1)


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, name: SignGradientName) -> Tensor:
        ctx.save_for_backward(inputs)
        ctx.name = name
        return _signs(inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (inputs,) = ctx.saved_tensors
        return gradient * _DERIVATIVES[ctx.name](inputs), None


class _BinaryKernel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernel: Tensor, magnified: bool) -> Tensor:
        ctx.magnified = magnified
        alpha = kernel.abs().mean(dim=tuple(range(1, kernel.dim())), keepdim=True)
        ctx.save_for_backward(kernel, alpha)
        return _signs(kernel) * alpha

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        kernel, alpha = ctx.saved_tensors
        inside = _identity(kernel)
        return gradient * (1 + kernel[0].numel() * alpha * inside if ctx.magnified else inside), None
