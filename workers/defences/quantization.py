"""Defensive quantization (Lin, Gan & Han, 2019): quantised activations in a network whose layers amplify noise little."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.defences.base import ActivationDefence
from workers.registry import defence
from workers.spec.fields import Bits, NonNegative

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

_LARGEST = 6.0


@defence(around=False, acts_on_relus=True)
class DefensiveQuantization(ActivationDefence):
    """Replacement of every ReLU by a ReLU6 rounded to `activation_bits` bits, with a training penalty towards orthogonal kernel rows.

    Trained in, from the first epoch on. Gradients: rounding is differentiated as the identity, in training (the paper's
    straight-through estimator) and while attacking (BPDA); clipping at 6 is differentiated as it is.
    """

    def __init__(self, *, activation_bits: Bits = 4, lipschitz_beta: NonNegative = 3e-4) -> None:
        self._bits, self._beta = activation_bits, lipschitz_beta

    def activations(self, activations: Tensor, *, owner: object = None) -> Tensor:  # noqa: ARG002
        """Round activations >= 0, of any shape, to one of 2^bits evenly spaced values in [0, 6]."""
        return quantised(activations, bits=self._bits)

    def penalty(self, body: nn.Module) -> Tensor | None:
        """Return beta/2 times the sum over all layers of ||W^T W - I||^2 (section 4.2, equation 8), minus a constant.

        W is the layer's matrix (filters, everything else); of one in factors it is the reconstructed kernel, under a fresh draw of the
        sketch where that is live, since noise passes through that one.
        """
        if self._beta == 0:
            return None
        import torch

        return self._beta / 2 * torch.stack([deviation(kernel) for kernel in _kernels(body)]).sum()


def quantised(activations: Tensor, *, bits: int) -> Tensor:
    """Return round(min(a, 6) (2^bits - 1)/6) 6/(2^bits - 1), of the shape of `activations` >= 0."""
    from workers.layers.straight_through import straight_through

    step = _LARGEST / (2**bits - 1)
    clipped = activations.clamp(max=_LARGEST)
    return straight_through(clipped, (clipped / step).round() * step)


def deviation(kernel: Tensor) -> Tensor:
    """Deviation of a kernel (filters, ...), as a matrix W (filters, rest), from orthonormality: ||W W^T - I||^2 or ||W^T W - I||^2
    (squared Frobenius norms), with the smaller of the two products. The two differ by the constant |filters - rest|."""
    import torch

    matrix = kernel.flatten(1)
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.t()
    products = matrix @ matrix.t()
    return (products - torch.eye(len(products), device=products.device, dtype=products.dtype)).square().sum()


def _kernels(body: nn.Module) -> Iterator[Tensor]:
    from torch import nn

    from workers.layers import LatentLayer

    for module in body.modules():
        if isinstance(module, LatentLayer):
            yield module.kernel()
        elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            yield module.weight
