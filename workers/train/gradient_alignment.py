"""GradAlign (Andriushchenko & Flammarion, 2020): input gradients that point the same way all over the ball, so that one-step attacks
stay strong while a network is trained on them."""

from collections.abc import Callable
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

from workers.spec.training import TrainingSpec


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
