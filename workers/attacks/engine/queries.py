"""Queries of attacks to a net: gradients, averaged over fresh draws on request, and losses over several draws."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from workers.attacks.engine.losses import Goal
from workers.attacks.engine.problem import AttackRun, Logits, Problem

_EXAMPLES_PER_PASS = {"cpu": 64, "cuda": 1024}
"""Copies of a batch go through the net together up to so many examples; more would exceed a CPU's cache, or a GPU's memory."""


def input_gradient(logits: Logits, inputs: Tensor, labels: Tensor) -> Tensor:
    """Return the gradient of the summed cross-entropy with respect to `inputs`, of their shape."""
    return loss_gradient(logits, inputs, Goal(labels))


def loss_gradient(logits: Logits, inputs: Tensor, goal: Goal) -> Tensor:
    """Return the gradient of the goal's summed loss with respect to `inputs`, of their shape."""
    return _differentiated(logits, inputs, goal)[0]


def gradient(problem: Problem, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradient of each example's loss at its point, (batch, *shape), and the logits of the last draw.

    On a randomised net `eot_samples` fresh draws are averaged (expectation over transformation, Athalye et al., 2018): one pass
    over copies of the batch where draws are per example, else one pass for each draw. No draw is used twice.
    """
    samples = 1 if problem.deterministic else problem.settings.eot_samples
    most = max(1, _EXAMPLES_PER_PASS[points.device.type] // len(points))
    at_once = min(samples, most) if problem.randomness == "example" else 1
    total, logits = _differentiated(problem.logits, points, problem.goal, copies=at_once)
    for done in range(at_once, samples, at_once):
        more, logits = _differentiated(problem.logits, points, problem.goal, copies=min(at_once, samples - done))
        total = total + more
    return (total if samples == 1 else total / samples), logits


def mean_logits(problem: Problem) -> Logits:
    """Return the net as a function whose logits, and so whose gradients, are means over `eot_samples` fresh draws of a randomised net.

    An attack that takes its gradients itself attacks the expected logits with it (expectation over transformation; Athalye et al., 2018):
    for a loss that is linear in the logits, such as the margin, that is `gradient`.
    """
    samples = 1 if problem.deterministic else problem.settings.eot_samples
    if samples == 1:
        return problem.logits

    def mean(points: Tensor) -> Tensor:
        total = problem.logits(points)
        for _ in range(samples - 1):
            total = total + problem.logits(points)
        return total / samples

    return mean


def smoothed_gradient(problem: Problem, points: Tensor, *, samples: int, noise: float) -> Tensor:
    """Return the mean gradient of each example's loss over `samples` points near its point, (batch, *shape).

    It is an estimate of the gradient of the loss convolved with Gaussian noise, which jumps, plateaus and ripples finer than the noise do
    not reach. The noise has the standard deviation `noise` (l-infinity), or the root mean square length `noise` (l2); noisy points may
    leave the ball, and are clipped to the input range. On a randomised net the gradient at each is itself a mean over `eot_samples` draws.
    """
    deviation = noise if problem.settings.norm == "linf" else noise / points[0].numel() ** 0.5
    total = torch.zeros_like(points)
    for _ in range(samples):
        drawn = torch.randn(points.shape, generator=problem.generator, device=points.device, dtype=points.dtype)
        nearby = torch.empty_like(points).copy_(drawn.mul_(deviation)).add_(points).clamp_(*problem.bounds)
        total += gradient(problem, nearby)[0]
    return total / samples


def in_bf16(problem: Problem) -> Problem:
    """Return the same attack with the net's passes autocast to bfloat16; its logits, and so the losses, are float32."""
    watched = problem.watched

    def halved(points: Tensor) -> Tensor:
        with torch.autocast(points.device.type, dtype=torch.bfloat16):
            logits = watched.net(points)
        return logits.float()

    return replace(problem, logits=replace(watched, net=halved))


def _differentiated(logits: Logits, points: Tensor, goal: Goal, *, copies: int = 1) -> tuple[Tensor, Tensor]:
    """Return the gradient summed over `copies` of the batch in one pass, and the last copy's logits.

    A net whose logits cannot be differentiated at all, for it computes without a graph, has the gradient 0.
    """
    leaf = points.detach().requires_grad_()
    with torch.enable_grad():
        if copies == 1:
            found = logits(leaf)
            loss = goal.losses(found).sum()
        else:
            found = logits(leaf.repeat(copies, *[1] * (leaf.ndim - 1)))
            loss = goal.repeated(copies).losses(found).sum()
    slope = torch.autograd.grad(loss, leaf)[0] if loss.requires_grad else torch.zeros_like(leaf)
    return slope, found.detach()[-len(points) :]


@dataclass
class PointQuality:
    """Quality of points for the attacker: their losses, and flags of whether the goal is reached, (batch,) each.

    On a randomised net the losses are means over fresh draws, and `reached` is False throughout: one draw proves nothing.
    """

    losses: Tensor
    reached: Tensor

    def of(self, chosen: Tensor) -> "PointQuality":
        return PointQuality(self.losses[chosen], self.reached[chosen])

    def better_than(self, other: "PointQuality") -> Tensor:
        """Flag the points that are better than the other's: the goal counts first, then the loss, (batch,)."""
        return torch.where(self.reached == other.reached, self.losses > other.losses, self.reached)

    def where(self, chosen: Tensor, other: "PointQuality") -> "PointQuality":
        """Return this quality where `chosen`, elsewhere the other."""
        return PointQuality(torch.where(chosen, self.losses, other.losses), torch.where(chosen, self.reached, other.reached))


def quality(problem: Problem, logits: Tensor) -> PointQuality:
    """Return the quality of points, from a deterministic net's logits for them."""
    return PointQuality(problem.goal.losses(logits), problem.goal.reached(logits))


def compared(problem: Problem, *candidates: Tensor) -> list[PointQuality]:
    """Return the quality of each set of points, (batch, *shape).

    A deterministic net sees each set once. A randomised one sees all sets together, in each of `selection_draws` calls: a draw per
    call is then common to all of them, one per example to that example's points, so that their difference comes from the points
    and not from the draws.
    """
    with torch.no_grad():
        if problem.deterministic:
            return [quality(problem, problem.logits(points)) for points in candidates]
        together, goal = torch.cat(candidates), problem.goal.repeated(len(candidates))
        draws = problem.settings.selection_draws
        with problem.watched.draws_shared(len(candidates)):
            losses = torch.stack([goal.losses(problem.logits(together)) for _ in range(draws)]).mean(dim=0)
    return [PointQuality(part, torch.zeros_like(part, dtype=torch.bool)) for part in losses.chunk(len(candidates))]


def improved(problem: Problem, best: Tensor, search: AttackRun, *, drop: bool, searched: Problem | None = None) -> Tensor:
    """Return the better of `best` and the points of one more search, example by example; `best` may be changed.

    Args:
        problem: by whose goal they are judged.
        best: the best points so far, (batch, *shape).
        search: gives the points of the examples of a problem.
        drop: true where only those examples are searched again that have not reached the goal.
        searched: the problem that is searched, on the same examples; None for `problem`.
    """
    searched = searched or problem
    if not drop:
        challenger = search(searched)
        old, new = compared(problem, best, challenger)
        return chosen_per_example(new.better_than(old), challenger, best)
    (found,) = compared(problem, best)
    again = (~found.reached).nonzero().squeeze(1)
    if len(again):
        challenger = search(searched.of(again))
        (new,) = compared(problem.of(again), challenger)
        best[again] = chosen_per_example(new.better_than(found.of(again)), challenger, best[again])
    return best


@torch.no_grad()
def likeliest(problem: Problem, count: int) -> Tensor:
    """Return the classes other than the label by their mean logits at the inputs, the likeliest first, (batch, at most `count`).

    The mean is over `selection_draws` fresh draws of a randomised net.
    """
    draws = 1 if problem.deterministic else problem.settings.selection_draws
    logits = torch.stack([problem.logits(problem.inputs) for _ in range(draws)]).mean(dim=0)
    others = logits.scatter(1, problem.goal.labels[:, None], -torch.inf)
    return others.topk(min(count, logits.shape[1] - 1), dim=1).indices


def linearised(problem: Problem, points: Tensor, classes: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the differences of the logits of `classes`, (batch, k), and of the label at the points, (batch, k), and the gradient of each
    of the k, (batch, *shape). On a randomised net all are means over `eot_samples` fresh draws."""
    draws = 1 if problem.deterministic else problem.settings.eot_samples
    values, slopes = _jacobian(problem, points, classes)
    for _ in range(draws - 1):
        more, steeper = _jacobian(problem, points, classes)
        values, slopes = values + more, [one + other for one, other in zip(slopes, steeper, strict=True)]
    return (values, slopes) if draws == 1 else (values / draws, [one / draws for one in slopes])


def _jacobian(problem: Problem, points: Tensor, classes: Tensor) -> tuple[Tensor, list[Tensor]]:
    leaf, last = points.detach().requires_grad_(), classes.shape[1] - 1
    with torch.enable_grad():
        logits = problem.logits(leaf)
        differences = logits.gather(1, classes) - logits.gather(1, problem.goal.labels[:, None])
        totals = differences.sum(dim=0).unbind()
    return differences.detach(), [torch.autograd.grad(total, leaf, retain_graph=k < last)[0] for k, total in enumerate(totals)]


def chosen_per_example(flags: Tensor, points: Tensor, others: Tensor) -> Tensor:
    """Return `points` where an example's flag is set, else `others`; both are finite."""
    # On a CPU, `where` takes five times as long; at weights of 0 and 1 the interpolation is exact.
    return torch.lerp(others, points, per_example(flags.to(points.dtype), points))


def per_example(values: Tensor, points: Tensor) -> Tensor:
    """Return one value for each example, (batch,), in a shape that multiplies points, (batch, *shape)."""
    return values.view(-1, *[1] * (points.ndim - 1))


def over_likeliest(problem: Problem, search: AttackRun, *, classes: int) -> Tensor:
    """Return each example's best point, (batch, *shape), of searches aimed at each of the likeliest `classes` but the label.

    A later class is tried only on the examples of a deterministic net that no earlier one has moved out of their class; on a randomised
    net on all, and the outcomes are compared over fresh draws (see `restarted`).
    """
    ranked = likeliest(problem, classes)
    best = search(problem.towards(ranked[:, 0]))
    for rank in range(1, ranked.shape[1]):
        best = improved(problem, best, search, drop=problem.deterministic, searched=problem.towards(ranked[:, rank]))
    return best
