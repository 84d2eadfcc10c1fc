"""Attacks that are aimed at several classes, one after the other."""

from torch import Tensor

from workers.attacks.engine.problem import AttackRun, Problem
from workers.attacks.engine.queries import improved, likeliest


def over_likeliest(problem: Problem, search: AttackRun, *, classes: int) -> Tensor:
    """Return each example's best point, (batch, *shape), of searches aimed at each of the likeliest `classes` but the label.

    A later class is tried only on the examples of a deterministic net that no earlier one has moved out of their class; on a randomised
    net on all, and the outcomes are compared over fresh draws (see `restarted`).
    """
    ranked = likeliest(problem, classes)
    best = search(problem.towards(ranked[:, 0]))
    for rank in range(1, ranked.shape[1]):

        def again(chosen: Tensor | None, classes: Tensor = ranked[:, rank]) -> Tensor:
            part = problem if chosen is None else problem.of(chosen)
            return search(part.towards(classes if chosen is None else classes[chosen]))

        best = improved(problem, best, again, drop=problem.deterministic)
    return best
