"""FGSM, BIM, MI-FGSM, PGD and smoothed PGD as settings of one loop of projected gradient ascent."""

from collections.abc import Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.attacks.engine.foolbox_backend import foolbox_attack
from workers.attacks.engine.norms import scaled_exactly
from workers.attacks.engine.problem import ActiveExamples, Problem
from workers.attacks.engine.queries import compared, gradient, in_bf16, smoothed_gradient
from workers.errors import UserError
from workers.spec.attack import AttackSettings
from workers.spec.fields import AttackPrecision


def gradient_attack(
    problem: Problem, *, steps: int, stepsize: float, momentum: float = 0.0, precision: AttackPrecision = "float32"
) -> Tensor:
    """Points of the loop, or where the settings say so of Foolbox's, (batch, *shape), in the ball.

    Args:
        problem: the batch; it starts at random where the attack does.
        steps: how many.
        stepsize: of each, in input units.
        momentum: the decay factor of accumulated gradients; 0 accumulates none.
        precision: of the passes through the net for which a gradient is taken; the loss is always computed in float32.

    Raises:
        UserError: Foolbox's attack in another precision.
    """
    if problem.settings.backend == "foolbox":
        if precision != "float32":
            raise UserError(f"backend=foolbox with precision={precision}: Foolbox computes in float32; use native")
        return foolbox_attack(problem, steps=steps, stepsize=stepsize)
    problem = problem if precision == "float32" else in_bf16(problem)
    return projected_gradient_ascent(problem, steps=steps, stepsize=stepsize, momentum=momentum)


@dataclass(frozen=True)
class Smoothing:
    """Gradients averaged over `samples` noisy inputs; the noise is `sigma` times epsilon large (see `smoothed_gradient`)."""

    samples: int
    sigma: float


def projected_gradient_ascent(
    problem: Problem, *, steps: int, stepsize: float, momentum: float = 0.0, smoothing: Smoothing | None = None
) -> Tensor:
    """The loop's final iterate, (batch, *shape), in the ball.

    FGSM is one step of epsilon (Goodfellow et al., 2015), BIM several smaller ones (Kurakin et al., 2017), PGD starts at random
    (Madry et al., 2018), MI-FGSM accumulates gradients (Dong et al., 2018). A step is the gradient's sign under l-infinity, and the
    gradient divided by its length under l2. No points are tracked or compared: on a randomised net each step uses fresh draws,
    which affect that step only. With `smoothing` a step follows the gradient of the loss convolved with noise.

    With `early_stop`, for deterministic nets, an example leaves the batch at its first point that reaches the goal.
    """
    settings, ball = problem.settings, problem.ball
    current = ball.random(problem.generator) if settings.facts.random_start else problem.inputs.clone()
    velocity = torch.zeros_like(current) if momentum else None
    active = ActiveExamples.all_of(problem, current) if settings.early_stop else None
    for _ in range(steps):
        slope, reached = _slope(problem, current, smoothing)
        if active is not None and (stay := active.drop(current, reached)) is not None:
            if len(stay) == 0:
                return active.examples
            problem, current, slope = active.problem, current[stay], slope[stay]
            velocity = None if velocity is None else velocity[stay]
        if velocity is not None:
            slope = velocity.mul_(momentum).add_(_unit_l1(slope))
        current = problem.ball.project_(current.add_(ball.direction(slope), alpha=stepsize))
    return current if active is None else active.finished(current)


def _slope(problem: Problem, points: Tensor, smoothing: Smoothing | None) -> tuple[Tensor, Tensor]:
    """Return the gradients, (batch, *shape), and flags of the points that reach the goal, (batch,), which only `early_stop` asks for."""
    if smoothing is None:
        slope, logits = gradient(problem, points)
        return slope, problem.goal.reached(logits)
    slope = smoothed_gradient(problem, points, samples=smoothing.samples, noise=smoothing.sigma * problem.settings.epsilon)
    if not problem.settings.early_stop:
        return slope, torch.zeros_like(problem.goal.labels, dtype=torch.bool)
    return slope, compared(problem, points)[0].reached


def _unit_l1(slopes: Tensor) -> Tensor:
    scaled = scaled_exactly(slopes)
    lengths = scaled.abs().flatten(1).sum(dim=1).clamp_min_(torch.finfo(slopes.dtype).tiny)
    return scaled / lengths.view(-1, *[1] * (slopes.ndim - 1))


Memory = dict[Hashable, Tensor]
"""Steps of length 1 computed for one net and one batching of its examples, keyed by everything they depend on."""


def can_be_remembered(settings: AttackSettings) -> bool:
    """Tell whether the attack is one step whose direction does not depend on epsilon (random targets are drawn per job)."""
    facts = settings.facts
    plain = facts.one_step and facts.averages and not facts.random_start
    return plain and settings.backend == "native" and settings.target != "random"


def remembered_step(problem: Problem, memory: Memory, *, place: slice) -> Tensor:
    """FGSM's points of the batch, bit for bit, from `memory` where that has the direction; what it took counts as spent again.

    Args:
        problem: FGSM on a deterministic net.
        memory: of this net; an entry is added where one is missing. Signs take a byte a value.
        place: position of the batch among the net's examples.

    Raises:
        NonFiniteError: a gradient, or logits, are not finite.
    """
    settings = problem.settings
    key = (place.start, place.stop, settings.norm, settings.loss, settings.target, settings.sign_gradient)
    if key not in memory:
        slopes, _ = gradient(problem, problem.inputs)
        problem.watched.require_finite()
        directions = problem.ball.direction(slopes)
        memory[key] = directions.to(torch.int8) if settings.norm == "linf" else directions
    else:
        problem.watched.passes.forward += len(problem.inputs)
        problem.watched.passes.backward += len(problem.inputs)
    direction = memory[key].to(problem.inputs.dtype)
    return problem.ball.project_(problem.inputs.add(direction, alpha=settings.epsilon))
