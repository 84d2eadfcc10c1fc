"""Attacks as the library calls them: a search on one batch, with targets and restarts, of which the best outcome is kept."""

from dataclasses import replace
from functools import partial
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from workers.attacks.engine.losses import Goal
from workers.attacks.engine.norms import UNIT, Bounds
from workers.attacks.engine.problem import AttackRun, Logits, Problem
from workers.attacks.engine.queries import improved, mean_logits
from workers.components.component_registry import Component
from workers.components.facts import AttackFacts
from workers.errors import JobError, UserError
from workers.spec.attack import AttackSettings, parts
from workers.spec.fields import Randomness


class Attack(Protocol):
    """Adversarial examples of one batch.

    Args:
        logits: the attacked net, (batch, *shape) within `bounds` to (batch, n_classes); its parameters are best frozen. Of one that
            is watched already, the caller has to ask what was seen.
        inputs: clean examples; not changed.
        labels: true classes, (batch,).
        settings: the attack, epsilon and step sizes in input units.
        generator: of everything that the attack draws, on the inputs' device.
        bounds: the smallest and the largest legal input value, [0, 1] for images, [-1, 1] for waveforms.
        randomness: scope of the draws of `logits`: one draw per call (`batch`), one per example of a call, or `none`.
            Calling a randomised net `none` makes an attacker trust single draws; the accuracy measured afterwards is not affected.

    Returns:
        Points within epsilon of `inputs` and within `bounds`, of the same shape. The caller must evaluate which of them fool
        the net, under fresh draws.

    Raises:
        UserError: the settings do not apply to such a net.
        NonFiniteError: the net gave some examples a gradient or logits that are not finite.
    """

    def __call__(
        self,
        logits: Logits,
        inputs: Tensor,
        labels: Tensor,
        *,
        settings: AttackSettings,
        generator: torch.Generator,
        bounds: Bounds = UNIT,
        randomness: Randomness = "none",
    ) -> Tensor: ...


def attack_of(settings: AttackSettings) -> Attack:
    """The attack that the settings ask for.

    Raises:
        ValueError: it is not installed here.
    """
    component, own = settings.component, dict(settings.settings)
    if component.accepts("problem"):
        return restarted(lambda problem: component.create(problem, **own))
    return restarted(lambda problem: _of_a_function(component, problem, own))


def _of_a_function(component: Component[AttackFacts], problem: Problem, own: dict[str, Any]) -> Tensor:
    """The points of an attack that is a function of logits, inputs and labels."""
    given = {"epsilon": problem.settings.epsilon, "norm": problem.settings.norm, "bounds": problem.bounds, "generator": problem.generator}
    wanted = {name: value for name, value in given.items() if component.accepts(name)}
    labels = problem.goal.labels
    if problem.goal.targets is not None:
        raise UserError(f"target={problem.settings.target}: attack {component.name} is untargeted; must be none")
    # Copies: what it does to them in place must not change the examples.
    points = component.create(mean_logits(problem), problem.inputs.clone(), labels.clone(), **wanted, **own)
    _require_alike(points, problem.inputs, component)
    return cast("Tensor", points).detach()


def _require_alike(points: Any, inputs: Tensor, component: Component[AttackFacts]) -> None:
    """Check what a user's attack has returned.

    Raises:
        JobError: it is no tensor like the inputs.
    """
    made, wanted = (
        f"{tuple(found.shape)}, {found.dtype}, {found.device}" if isinstance(found, Tensor) else type(found).__name__
        for found in (points, inputs)
    )
    if made != wanted:
        raise JobError(f"attack {component.name} ({component.place}): returned {made}; must be like its inputs, {wanted}")


def restarted(search: AttackRun) -> Attack:
    """Return the search as an attack that runs it `restarts` times and keeps each example's best outcome.

    On a deterministic net the best outcome is one that reaches the goal, and among equals the one with the highest loss; with
    `early_stop` only examples that have not reached it run again. On a randomised net the outcomes so far are compared with each new
    one over the same `selection_draws` fresh draws, by their mean losses alone.
    """

    def attack(
        logits: Logits,
        inputs: Tensor,
        labels: Tensor,
        *,
        settings: AttackSettings,
        generator: torch.Generator,
        bounds: Bounds = UNIT,
        randomness: Randomness = "none",
    ) -> Tensor:
        posed = pose(logits, inputs, labels, settings=settings, generator=generator, bounds=bounds, randomness=randomness)
        best = search(posed)
        for run in range(1, settings.restarts):
            again = replace(posed, run=run)
            best = improved(again, best, search, drop=settings.early_stop)
        if posed.logits is not logits:
            posed.watched.require_finite()
        return best

    return attack


def pose(
    logits: Logits,
    inputs: Tensor,
    labels: Tensor,
    *,
    settings: AttackSettings,
    generator: torch.Generator,
    bounds: Bounds = UNIT,
    randomness: Randomness = "none",
) -> Problem:
    """Return the batch as a problem, its targets chosen; the arguments are an attack's.

    Raises:
        UserError: `early_stop`, or points compared by a single draw, on a randomised net.
    """
    if randomness != "none":
        _require_many_draws(settings)
    problem = Problem(logits, inputs, Goal(labels, None, settings.loss), settings, generator, bounds, randomness)
    return problem if settings.target == "none" else problem.aimed(_targets(problem))


def _require_many_draws(settings: AttackSettings) -> None:
    if settings.early_stop:
        raise UserError("early_stop=true: the net is randomised, and one evaluation that fools it proves nothing; must be false")
    if settings.selects and settings.selection_draws == 1:
        raise UserError("selection_draws=1: the net is randomised, and one draw must not choose between points; 2 or more")


def _targets(problem: Problem) -> Tensor:
    """Return the class that each example is to be classified as, never its own: the next one, a random one, or the least likely one.

    The least likely class is that of the least mean probability over `selection_draws` fresh draws.
    """
    labels, settings = problem.goal.labels, problem.settings
    with torch.no_grad():
        if settings.target == "least_likely":
            draws = 1 if problem.deterministic else settings.selection_draws
            likely = torch.stack([problem.logits(problem.inputs).softmax(dim=1) for _ in range(draws)]).mean(dim=0)
            return likely.scatter_(1, labels[:, None], torch.inf).argmin(dim=1)
        n_classes = problem.logits(problem.inputs[:1]).shape[1]
    if settings.target == "next":
        return (labels + 1) % n_classes
    return (labels + torch.randint(1, n_classes, labels.shape, generator=problem.generator, device=labels.device)) % n_classes


def cascade(problem: Problem) -> Tensor:
    """Return each example's best point, (batch, *shape), of a suite's attacks; on a deterministic net each attack is run on those examples
    alone that none before it has moved out of their class."""
    first, *others = parts(problem.settings, early_stop=problem.deterministic)
    best = _points(problem, first)
    for part in others:
        best = improved(problem, best, partial(_points, part=part), drop=problem.deterministic)
    return best


def _points(problem: Problem, part: AttackSettings) -> Tensor:
    return attack_of(part)(
        problem.logits,
        problem.inputs,
        problem.goal.labels,
        settings=part,
        generator=problem.generator,
        bounds=problem.bounds,
        randomness=problem.randomness,
    )
