"""FGSM at many epsilons with one gradient: it is taken at the clean inputs, where it does not depend on epsilon."""

from collections.abc import Hashable

import torch
from torch import Tensor

from workers.attacks.engine.problem import Problem
from workers.attacks.engine.queries import gradient
from workers.spec.attack import AttackSettings

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
