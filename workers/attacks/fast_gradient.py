"""FGSM at many epsilons for one gradient: at the clean inputs, where it is taken, the gradient knows nothing of epsilon."""

from collections.abc import Hashable

import torch
from torch import Tensor

from workers.attacks.problem import Problem
from workers.attacks.queries import gradient
from workers.errors import NonFiniteError
from workers.spec.attack import AttackSettings

Memory = dict[Hashable, Tensor]
"""Steps of length 1 that were computed for one net and one batching of its examples, by what they depend on."""


def can_be_remembered(settings: AttackSettings) -> bool:
    """Whether the attack is one step that another epsilon would take in the same direction (random targets are drawn per job)."""
    return settings.name == "fgsm" and settings.backend == "native" and settings.target != "random"


def remembered_step(problem: Problem, memory: Memory, *, place: slice) -> Tensor:
    """What `ATTACKS["fgsm"]` makes of the batch, bit for bit, from `memory` where that has the direction.

    Args:
        problem: FGSM on a deterministic net.
        memory: of this net; an entry is added where one is missing. Signs take a byte a value.
        place: which of the net's examples the batch is.

    Raises:
        NonFiniteError: a gradient is not finite.
    """
    settings = problem.settings
    key = (place.start, place.stop, settings.norm, settings.loss, settings.target, settings.sign_gradient)
    if key not in memory:
        slopes, _ = gradient(problem, problem.inputs)
        if not slopes.isfinite().all():
            raise NonFiniteError("the gradient of a clean example is not finite")
        directions = problem.ball.direction(slopes)
        memory[key] = directions.to(torch.int8) if settings.norm == "linf" else directions
    direction = memory[key].to(problem.inputs.dtype)
    return problem.ball.project_(problem.inputs.add(direction, alpha=settings.abs_stepsize))
