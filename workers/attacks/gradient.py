"""FGSM, BIM and PGD as settings of one loop of projected signed-gradient ascent (Goodfellow 2015, Kurakin 2016, Madry 2017)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

from workers.errors import JobError
from workers.specs import AttackSettings

Logits = Callable[[Tensor], Tensor]
Bounds = tuple[float, float]
UNIT: Bounds = (0.0, 1.0)
_TOLERANCE = 1e-6


def signed_gradient_ascent(
    logits: Logits,
    inputs: Tensor,
    labels: Tensor,
    *,
    settings: AttackSettings,
    generator: torch.Generator,
    bounds: Bounds = UNIT,
) -> Tensor:
    """Adversarial examples for an untargeted l-infinity attacker who climbs the cross-entropy.

    Each step calls `logits` once: on a randomised net every step sees fresh randomness (knowledge `randomized`).

    Args:
        logits: the attacked model, (batch, *shape) within `bounds` to (batch, n_classes).
        inputs: clean examples; not changed.
        labels: true classes, (batch,).
        settings: epsilon and abs_stepsize in input units, steps, random_start.
        generator: of the random start, on the inputs' device.
        bounds: the smallest and the largest legal input value, [0, 1] for images, [-1, 1] for waveforms.

    Returns:
        The final iterate, within epsilon of `inputs` and within `bounds`, of the same shape.
    """
    low, high = (inputs - settings.epsilon).clamp_(*bounds), (inputs + settings.epsilon).clamp_(*bounds)
    current = inputs.clone()
    if settings.random_start:
        noise = torch.rand(inputs.shape, generator=generator, device=inputs.device, dtype=inputs.dtype)
        current = torch.clamp(inputs + (2 * noise - 1) * settings.epsilon, low, high)
    for _ in range(settings.steps):
        gradient = input_gradient(logits, current, labels)
        current = torch.clamp(current + settings.abs_stepsize * gradient.sign(), low, high)
    return current


def input_gradient(logits: Logits, inputs: Tensor, labels: Tensor) -> Tensor:
    """The gradient of the summed cross-entropy with respect to `inputs`, of their shape."""
    leaf = inputs.detach().requires_grad_()
    with torch.enable_grad():
        loss = F.cross_entropy(logits(leaf), labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, leaf)
    return gradient


def check_examples(examples: Tensor, inputs: Tensor, *, epsilon: float, bounds: Bounds = UNIT) -> float:
    """The largest l-infinity distance of `examples` from `inputs`, in input units.

    Raises:
        JobError: a point is not finite, or lies outside the epsilon ball or the input range `bounds`.
    """
    distance = float((examples - inputs).abs().max())
    if not distance <= epsilon + _TOLERANCE:
        raise JobError(f"an adversarial example lies {distance} from its input: outside the ball of epsilon {epsilon}")
    low, high = float(examples.min()), float(examples.max())
    if low < bounds[0] or high > bounds[1]:
        legal = f"[{bounds[0]:g}, {bounds[1]:g}]"
        raise JobError(f"an adversarial example has values in [{low}, {high}]: outside the input range {legal}")
    return distance
