"""Defensive quantization (Lin, Gan & Han, 2019): quantised activations in a network whose layers amplify noise little."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from workers.defences.base import ActivationDefence, straight_through
from workers.layers import TuckerLayer

_LARGEST = 6.0


class DefensiveQuantization(ActivationDefence):
    """Replacement of every ReLU by a ReLU6 rounded to `activation_bits` bits, with a training penalty towards orthogonal kernel rows.

    Trained in, from the first epoch on. Gradients: rounding is differentiated as the identity, in training (the paper's
    straight-through estimator) and while attacking (BPDA); clipping at 6 is differentiated as it is.
    """

    def activations(self, activations: Tensor, *, owner: object = None) -> Tensor:  # noqa: ARG002
        """Round activations >= 0, of any shape, to one of 2^bits evenly spaced values in [0, 6]."""
        return quantised(activations, bits=self.settings.activation_bits)

    def penalty(self, body: nn.Module) -> Tensor | None:
        """Return beta/2 times the sum over all layers of ||W^T W - I||^2 (section 4.2, equation 8), minus a constant.

        W is the layer's matrix (filters, everything else); a Tucker layer's is its reconstructed kernel, under a fresh draw of the
        sketch where that is live, since noise passes through that one.
        """
        if self.settings.lipschitz_beta == 0:
            return None
        return self.settings.lipschitz_beta / 2 * torch.stack([deviation(kernel) for kernel in _kernels(body)]).sum()


def quantised(activations: Tensor, *, bits: int) -> Tensor:
    """Return round(min(a, 6) (2^bits - 1)/6) 6/(2^bits - 1), of the shape of `activations` >= 0."""
    step = _LARGEST / (2**bits - 1)
    clipped = activations.clamp(max=_LARGEST)
    return straight_through(clipped, (clipped / step).round() * step)


def deviation(kernel: Tensor) -> Tensor:
    """Deviation of a kernel (filters, ...), as a matrix W (filters, rest), from orthonormality: ||W W^T - I||^2 or ||W^T W - I||^2
    (squared Frobenius norms), with the smaller of the two products. The two differ by the constant |filters - rest|."""
    matrix = kernel.flatten(1)
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.t()
    products = matrix @ matrix.t()
    return (products - torch.eye(len(products), device=products.device, dtype=products.dtype)).square().sum()


def _kernels(body: nn.Module) -> Iterator[Tensor]:
    for module in body.modules():
        if isinstance(module, TuckerLayer):
            yield module.kernel()
        elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            yield module.weight
