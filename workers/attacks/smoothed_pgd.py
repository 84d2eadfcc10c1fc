"""PGD along gradients that are averaged over noisy inputs: it climbs the loss smoothed, which no fine structure of the loss hides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import attack
from workers.spec.fields import Count, LossName, Positive
from workers.spec.step_settings import PaperSteps, Stepsize

if TYPE_CHECKING:
    from torch import Tensor

    from workers.attacks.engine.problem import Problem


@attack(norms=("l2", "linf"), random_start=True)
def smoothed_pgd(
    problem: Problem,
    *,
    steps: PaperSteps = "paper",
    abs_stepsize: Stepsize = None,
    loss: LossName = "ce",  # noqa: ARG001 (of the problem's goal)
    samples: Count = 10,
    sigma: Positive = 0.5,
) -> Tensor:
    """Several steps of length `abs_stepsize` from a random point of the ball on, along the mean gradient at `samples` points nearby, whose
    Gaussian noise has the standard deviation (l2: the root mean square length) `sigma` times epsilon."""
    from workers.attacks.engine.gradient import Smoothing, projected_gradient_ascent

    return projected_gradient_ascent(problem, steps=steps, stepsize=abs_stepsize, smoothing=Smoothing(samples, sigma))
