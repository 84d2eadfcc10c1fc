"""Terms of a training by which its loss is flat: GradAlign (Andriushchenko & Flammarion, 2020), for input gradients that point the same
way all over the ball, and adversarial weight perturbation, AWP (Wu et al., 2020), which steps where the loss around the weights is high."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

from workers.spec.training import TrainingSpec

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


def misalignment(
    logits: Callable[[Tensor], Tensor], inputs: Tensor, labels: Tensor, *, settings: TrainingSpec, generator: torch.Generator
) -> Tensor:
    """Return 1 - cos(gradient at the inputs, gradient at random points of their l-infinity balls), the mean over examples: equation 4.

    Both gradients, of the cross-entropy by the inputs, are themselves differentiated: the result's gradient by the weights costs about
    as much as three steps on plain examples.

    Args:
        logits: the network in the mode in which it is trained.
        inputs: (batch, *shape), clean.
        labels: (batch,).
        settings: of the training; the ball is that of its largest epsilon.
        generator: of the random points, on the inputs' device.
    """
    radius = float(Fraction(settings.adversarial_epsilon[1]))
    noise = torch.rand(inputs.shape, generator=generator, device=inputs.device).mul_(2 * radius).sub_(radius)
    at_inputs, around = (_slope(logits, points, labels) for points in (inputs, inputs + noise))
    return 1 - F.cosine_similarity(at_inputs, around, dim=1).mean()


def _slope(logits: Callable[[Tensor], Tensor], points: Tensor, labels: Tensor) -> Tensor:
    leaf = points.detach().requires_grad_()
    (slope,) = torch.autograd.grad(F.cross_entropy(logits(leaf), labels, reduction="sum"), leaf, create_graph=True)
    return slope.flatten(1)
