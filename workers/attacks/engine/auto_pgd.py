"""Auto-PGD (Croce & Hein, 2020): projected gradient ascent with momentum that chooses its own step size."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from workers.attacks.engine.problem import ActiveExamples, Problem
from workers.attacks.engine.queries import PointQuality, chosen_per_example, compared, gradient, per_example, quality

_MOMENTUM = 0.75
_RHO = 0.75
_FIRST_STEP = 2.0
_FIRST_CHECK, _LESS_EACH_TIME, _LEAST = 0.22, 0.03, 0.06


def auto_pgd(problem: Problem, *, steps: int) -> Tensor:
    """Return the best point found, (batch, *shape), in the ball.

    On a deterministic net the best point is one that reaches the goal, and among equals the one with the highest loss. On a
    randomised net success is never tracked: each new point is compared with the best one anew, by their mean losses over the same
    `selection_draws` fresh draws, so that a point that was lucky once is replaced. Those means also decide when the step is
    halved; the draws of the gradients (`eot_samples` a step) are not used to compare points.
    """
    settings = problem.settings
    ascent = _start(problem)
    active = ActiveExamples.all_of(problem, ascent.points) if settings.early_stop else None
    checks = _checks(steps)
    for done in range(1, steps + 1):
        ascent.move(problem, momentum=_MOMENTUM if done > 1 else 1.0)
        slopes, logits = gradient(problem, ascent.points)
        now, best = _compared(problem, ascent, logits)
        ascent.note(slopes, now, best)
        if done in checks:
            ascent.check(since=checks[done])
        if active is not None and (stay := active.drop(ascent.best, ascent.best_reached)) is not None:
            if len(stay) == 0:
                return active.examples
            problem, ascent = active.problem, ascent.of(stay)
    return ascent.best if active is None else active.finished(ascent.best)


@dataclass
class Ascent:
    """Current point of each example, and the best point of its search: points and slopes (batch, *shape), the rest (batch,)."""

    points: Tensor
    previous: Tensor
    slopes: Tensor
    losses: Tensor
    stepsizes: Tensor
    best: Tensor
    best_slopes: Tensor
    best_losses: Tensor
    best_reached: Tensor
    rises: Tensor
    improved: Tensor
    halved: Tensor

    def of(self, chosen: Tensor) -> "Ascent":
        return Ascent(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    def move(self, problem: Problem, *, momentum: float) -> None:
        """Take one step along the gradient, then repeat a part of the last step; both are projected (section 3.1)."""
        ball = problem.ball  # in place: on a CPU, allocating such tensors takes longer than computing them
        ahead = ball.project_(ball.direction(self.slopes).mul_(self.stepsizes).add_(self.points))
        repeated = (self.points - self.previous).mul_(1 - momentum)
        mixed = ahead.sub_(self.points).mul_(momentum).add_(self.points).add_(repeated)
        self.previous, self.points = self.points, ball.project_(mixed)

    def note(self, slopes: Tensor, now: PointQuality, best: PointQuality) -> None:
        """Record the slopes and the quality of the new points, and update the best ones by comparison with them."""
        better = now.better_than(best)
        self.rises = self.rises + (now.losses > self.losses)
        self.slopes, self.losses = slopes, now.losses
        chosen = per_example(better.to(slopes.dtype), slopes)
        self.best.lerp_(self.points, chosen)
        self.best_slopes.lerp_(slopes, chosen)
        self.best_losses = torch.where(better, now.losses, best.losses)
        self.best_reached = torch.where(better, now.reached, best.reached)
        self.improved = self.improved | better

    def check(self, *, since: int) -> None:
        """Halve the step and go back to the best point where too few of the last `since` steps rose, or none found a better point
        although the step was not halved the last time (section 3.2, conditions 1 and 2)."""
        halve = (self.rises < _RHO * since) | ~(self.improved | self.halved)
        self.stepsizes = chosen_per_example(halve, self.stepsizes / 2, self.stepsizes)
        self.points = chosen_per_example(halve, self.best, self.points)
        self.slopes = chosen_per_example(halve, self.best_slopes, self.slopes)
        self.losses = torch.where(halve, self.best_losses, self.losses)
        self.rises, self.improved, self.halved = torch.zeros_like(self.rises), torch.zeros_like(halve), halve


def _start(problem: Problem) -> Ascent:
    points = problem.ball.random(problem.generator)
    slopes, logits = gradient(problem, points)
    found = quality(problem, logits) if problem.deterministic else compared(problem, points)[0]
    none = torch.zeros_like(found.reached)
    stepsizes = torch.full_like(found.losses, _FIRST_STEP * problem.settings.epsilon).view(-1, *[1] * (points.ndim - 1))
    best = (points.clone(), slopes.clone(), found.losses, found.reached)
    return Ascent(points, points, slopes, found.losses, stepsizes, *best, rises=none.long(), improved=none, halved=~none)


def _compared(problem: Problem, ascent: Ascent, logits: Tensor) -> list[PointQuality]:
    """Return the quality of the new points and of the best ones."""
    if problem.deterministic:
        return [quality(problem, logits), PointQuality(ascent.best_losses, ascent.best_reached)]
    return compared(problem, ascent.points, ascent.best)


def _checks(steps: int) -> dict[int, int]:
    """Map the steps after which the step size is checked to the number of steps since the last check (section 3.2)."""
    checks, done, gap = {}, 0, max(1, int(_FIRST_CHECK * steps))
    while done + gap <= steps:
        done += gap
        checks[done] = gap
        gap = max(gap - max(1, int(_LESS_EACH_TIME * steps)), int(_LEAST * steps), 1)
    return checks
