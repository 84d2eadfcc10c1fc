"""Minimum-norm attacks: the nearest point of each example that reaches the goal, and FMN (Pintor et al., 2021), whose ball's radius
follows the boundary."""

from math import cos, pi

import torch
from torch import Tensor

from workers.attacks.engine.hyperplane import steepness
from workers.attacks.engine.norms import BALLS
from workers.attacks.engine.problem import ActiveExamples, Problem
from workers.attacks.engine.queries import PointQuality, chosen_per_example, compared, gradient, quality


class Nearest:
    """The nearest point that reaches the goal, of each example that is still searched for.

    On a deterministic net an example leaves once nothing can be gained: it is misclassified as it is; or, with `early_stop`, its point
    lies within epsilon; or, with `at_first`, it has any point. On a randomised net a point reaches the goal if its mean loss (a margin)
    over `selection_draws` fresh draws is positive; the nearest one so far is judged again with each new one, over the same draws, so
    that one that was lucky once is dropped. There all examples are searched for to the end.

    `problem` is the attack on the examples that are left; `sizes` of their nearest points, (examples,), are infinite where there is none.
    """

    def __init__(self, problem: Problem, *, at_first: bool = False) -> None:
        self._active = ActiveExamples.all_of(problem, problem.inputs)
        self._enough = torch.inf if at_first else problem.settings.epsilon if problem.settings.early_stop else 0.0
        self.points, self._last = problem.inputs, problem.inputs
        self.sizes = torch.full_like(problem.goal.labels, torch.inf, dtype=problem.inputs.dtype)
        self.offer(problem.inputs)

    @property
    def problem(self) -> Problem:
        return self._active.problem

    def offer(self, points: Tensor, logits: Tensor | None = None) -> Tensor:
        """Keep the points that reach the goal nearer to the inputs than any before; flag all those that reach it, (examples,).

        Args:
            points: one for each example that is left.
            logits: a deterministic net's for the points, where they are known; else it is asked.
        """
        reached = self._reached(points, logits)
        sizes = self.problem.ball.distances(points - self.problem.inputs).to(self.sizes.dtype)
        nearer = reached & (sizes < self.sizes)
        self.points = chosen_per_example(nearer, points, self.points)
        self.sizes = torch.where(nearer, sizes, self.sizes)
        self._last = points
        return reached

    def _reached(self, points: Tensor, logits: Tensor | None) -> Tensor:
        if self.problem.deterministic:
            found: PointQuality = compared(self.problem, points)[0] if logits is None else quality(self.problem, logits)
            return found.reached
        new, old = compared(self.problem, points, self.points)
        self.sizes = torch.where(old.losses > 0, self.sizes, torch.inf)
        return new.losses > 0

    def leave(self) -> Tensor | None:
        """Take out the examples that are done; return the indices of those that are left, or None where all are."""
        done = (self.sizes <= self._enough) & self.sizes.isfinite()
        if not self.problem.deterministic or not bool(done.any()):
            return None
        self.problem.watched.note_sizes(self.sizes)
        stay = self._active.drop(self._legal(), done)
        assert stay is not None  # noqa: S101 (some are done)
        self.points, self.sizes, self._last = self.points[stay], self.sizes[stay], self._last[stay]
        return stay

    def finished(self) -> Tensor:
        """Return a point in the ball for each example of the whole batch: the nearest one if it lies there, else its projection, or that
        of the last point where none reaches the goal."""
        self.problem.watched.note_sizes(self.sizes)
        return self._active.finished(self._legal())

    def _legal(self) -> Tensor:
        ball, epsilon = self.problem.ball, self.problem.settings.epsilon
        chosen = chosen_per_example(self.sizes.isfinite(), self.points, self._last)
        return chosen_per_example(self.sizes <= epsilon, self.points, ball.project_(chosen.clone()))


_FIRST_RATE, _LAST_RATE, _LAST_STEP = 0.05, 0.001, 0.01


def fast_minimum_norm(problem: Problem, *, steps: int) -> Tensor:
    """Return the nearest points found, (batch, *shape), in the ball.

    Each step climbs the margin, then projects onto a ball around the input: a little smaller than the nearest point so far where the
    goal is reached, larger where it is not, and as large as the linearised margin asks before it ever was. Lengths of steps and rates of
    the radius decay (algorithm 1). Unlike the paper's, a step is as long as the radius at first, whatever the inputs' size, and is
    clipped before it is projected: inside the ball nothing is then cut off.
    """
    nearest, norm = Nearest(problem), problem.settings.norm
    points, radii = problem.inputs, torch.full_like(nearest.sizes, torch.inf)
    for step in range(steps):
        if (stay := nearest.leave()) is not None:
            points, radii = points[stay], radii[stay]
        if len(points) == 0:
            break
        slopes, logits = gradient(nearest.problem, points)
        reached = nearest.offer(points, logits if problem.deterministic else None)
        decay = (1 + cos(pi * step / steps)) / 2
        needed = _needed(nearest.problem, points, slopes, logits)
        radii = _radii(nearest, radii, reached, needed, rate=_between(_LAST_RATE, _FIRST_RATE, decay))
        shaped = radii.view(-1, *[1] * (points.ndim - 1))
        ahead = points + problem.ball.direction(slopes) * shaped * _between(_LAST_STEP, 1.0, decay)
        points = BALLS[norm](nearest.problem.inputs, epsilon=shaped, bounds=problem.bounds).project_(ahead.clamp_(*problem.bounds))
    if len(points):
        nearest.offer(points)
    return nearest.finished()


def _radii(nearest: Nearest, radii: Tensor, reached: Tensor, needed: Tensor, *, rate: float) -> Tensor:
    """Return the next radii, (examples,); `needed` are the sizes at which the linearised margin is 0."""
    inside = torch.minimum(radii * (1 - rate), nearest.sizes)
    outside = torch.where(nearest.sizes.isfinite(), radii * (1 + rate), needed)
    return torch.where(reached, inside, outside)


def _needed(problem: Problem, points: Tensor, slopes: Tensor, logits: Tensor) -> Tensor:
    sizes = problem.ball.distances(points - problem.inputs)
    rises = steepness(slopes, norm=problem.settings.norm)
    distances = problem.goal.losses(logits).abs() / rises.clamp_min(torch.finfo(rises.dtype).tiny)
    return (sizes + distances).to(slopes.dtype)


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share
