"""Attacks of Foolbox 3 (Rauber et al., 2020) on our problems, their draws from our generators. Foolbox is imported on first use."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from workers.attacks.engine.minimum_norm import Nearest
from workers.attacks.engine.problem import Logits, Problem
from workers.errors import JobError, UserError, first_line
from workers.spec.attack import not_on_draws
from workers.spec.fields import NormName

_CLASSES: dict[NormName, str] = {
    "l2": "L2ProjectedGradientDescentAttack",
    "linf": "LinfProjectedGradientDescentAttack",
}
_BLENDS, _WITHIN_UNIT = 50, ("HopSkipJumpAttack",)
_STARTS = {"BoundaryAttack": "blended", "HopSkipJumpAttack": "blended", "PointwiseAttack": "salt and pepper"}
"""Attacks that start from points that reach the goal already, and what these are made of."""


def foolbox_attack(problem: Problem, *, steps: int, stepsize: float) -> Tensor:
    """Return Foolbox's points, (batch, *shape): its projected gradient descent, of which FGSM and BIM are settings there too."""
    from foolbox import attacks

    settings = problem.settings
    attack = getattr(attacks, _CLASSES[settings.norm])(abs_stepsize=stepsize, steps=steps, random_start=settings.facts.random_start)
    with _draws_from(problem, drawn=settings.facts.random_start):
        points: Tensor = attack.run(_model(problem), problem.inputs, _criterion(problem), epsilon=settings.epsilon)
    return points.detach()


def library_attack(problem: Problem, kind: Any, own: dict[str, Any]) -> Tensor:
    """Return the points of any of Foolbox's attacks, (batch, *shape), projected onto the ball.

    Those of a minimum-norm attack that lie beyond epsilon are recorded with their sizes before (`Watched.note_sizes`), and with
    `early_stop` Foolbox's own search ends within epsilon. An attack that starts from points that reach the goal leaves the examples at
    their inputs for which none is found. What Foolbox draws depends on the problem's generator alone.

    Args:
        problem: the batch.
        kind: Foolbox's class.
        own: arguments of its constructor, without those that follow from the problem.

    Raises:
        UserError: the attack compares points by single evaluations, and the net is randomised.
        JobError: Foolbox cannot attack such inputs, or such a net.
    """
    settings, name = problem.settings, kind.__name__
    if settings.facts.selects and not problem.deterministic:
        raise UserError(not_on_draws(settings.name))
    if name in _WITHIN_UNIT and tuple(problem.bounds) != (0, 1):
        raise JobError(
            f"attack {settings.name}: clips its points to [0, 1], and inputs are in [{problem.bounds[0]:g}, {problem.bounds[1]:g}]"
        )
    attack = kind(**own, **({"constraint": settings.norm} if name == "HopSkipJumpAttack" else {}))
    try:
        with _draws_from(problem), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*failed to draw sufficient random")  # of examples that it does not fool
            points = _started(problem, attack) if name in _STARTS else _run(problem, attack)
    except (AssertionError, NotImplementedError, ValueError) as error:
        raise JobError(f"attack {settings.name}: {type(error).__name__}: {first_line(error)}") from error
    if not settings.facts.minimises:
        return problem.ball.project_(points)
    nearest = Nearest(problem)
    nearest.offer(points)
    return nearest.finished()


def _run(problem: Problem, attack: Any, **starts: Tensor) -> Tensor:
    """Return the points of one run, as Foolbox gives them but within the bounds."""
    settings = problem.settings
    if settings.facts.minimises:
        bound: dict[str, Any] = {"early_stop": settings.epsilon if settings.early_stop else None}
    else:
        bound = {"epsilon": settings.epsilon}
    points: Tensor = attack.run(_model(problem), problem.inputs.clone(), _criterion(problem), **bound, **starts)
    return points.detach().clamp(*problem.bounds)


def _started(problem: Problem, attack: Any) -> Tensor:
    """Return the points of an attack that needs points which reach the goal: made as Foolbox makes them, but without an error for all
    where one example has none. Examples that reach the goal as they are have nothing to gain."""
    attacks: Any = import_module("foolbox.attacks")
    blended = _STARTS[type(attack).__name__] == "blended"
    first = attacks.LinearSearchBlendedUniformNoiseAttack(steps=_BLENDS) if blended else attacks.SaltAndPepperNoiseAttack()
    starts = first.run(_model(problem), problem.inputs, _criterion(problem))
    with torch.no_grad():
        before, reached = (problem.goal.reached(problem.logits(points)) for points in (problem.inputs, starts))
    chosen, points = (reached & ~before).nonzero().squeeze(1), problem.inputs.clone()
    if len(chosen):
        points[chosen] = _run(problem.of(chosen), attack, starting_points=starts[chosen])
    return points


def _model(problem: Problem) -> Any:
    from foolbox.models.pytorch import PyTorchModel

    return PyTorchModel(_Wrapped(problem.logits), bounds=problem.bounds, device=problem.inputs.device)


def _criterion(problem: Problem) -> Any:
    from foolbox import criteria

    goal = problem.goal
    return criteria.Misclassification(goal.labels) if goal.targets is None else criteria.TargetedMisclassification(goal.targets)


@contextmanager
def _draws_from(problem: Problem, *, drawn: bool = True) -> Iterator[None]:
    """Inside, PyTorch's and NumPy's own generators, from which Foolbox draws, are seeded from the problem's if anything is `drawn`;
    afterwards they are as before."""
    inputs, numbers = problem.inputs, np.random.get_state()
    try:
        with torch.random.fork_rng([inputs.device] if inputs.is_cuda else []):
            if drawn:
                seed = int(torch.randint(2**62, (), generator=problem.generator, device=inputs.device))
                torch.manual_seed(seed)
                np.random.seed(seed % 2**32)
            yield
    finally:
        np.random.set_state(numbers)


class _Wrapped(nn.Module):
    """A function as the module that Foolbox requires; a network behind it keeps its own mode."""

    def __init__(self, logits: Logits) -> None:
        super().__init__()
        self._logits = (logits,)  # in a tuple, so that a module is not registered as a submodule and moved or switched with this one
        self.eval()

    def forward(self, inputs: Tensor) -> Tensor:
        return self._logits[0](inputs)
