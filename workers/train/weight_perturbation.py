"""Adversarial weight perturbation, AWP (Wu et al., 2020): each step's gradient is taken where the loss around the weights is high."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_FEWEST_DIMENSIONS = 2
"""Vectors are biases and the weights of normalisation layers, which are not perturbed."""


@contextmanager
def perturbed_weights(module: nn.Module, loss: Callable[[], Tensor], *, size: float) -> Iterator[None]:
    """Within it each weight matrix or kernel w is w + size * ||w|| g / ||g||, g being its gradient of the loss (equation 10, one step).

    Afterwards the weights are what they were, bit for bit; the forward pass that finds the gradient updates no statistics.

    Args:
        module: whose weights of two dimensions or more are perturbed.
        loss: returns the loss as the weights are; it is called once.
        size: of the perturbation relative to each weight's own length.
    """
    weights = [parameter for parameter in module.parameters() if parameter.requires_grad and parameter.ndim >= _FEWEST_DIMENSIONS]
    statistics = [(buffer, buffer.clone()) for buffer in module.buffers()]
    slopes = torch.autograd.grad(loss(), weights, allow_unused=True)
    kept = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for buffer, before in statistics:
            buffer.copy_(before)
        for weight, slope in zip(weights, slopes, strict=True):
            if slope is not None:
                weight.add_(_scaled(slope, to=size * weight.norm()))
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, before in zip(weights, kept, strict=True):
                weight.copy_(before)


def _scaled(slope: Tensor, *, to: Tensor) -> Tensor:
    """Return the gradient at this length; a zero one stays zero."""
    length = slope.norm()
    return slope * torch.where(length > 0, to / length, torch.zeros_like(length))
