"""What an attack is given: one batch, the net as a function that returns logits, and what counts as harm."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from workers.attacks.losses import Goal
from workers.attacks.norms import BALLS, UNIT, Ball, Bounds
from workers.spec.attack import AttackSettings
from workers.spec.fields import Randomness

Logits = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Problem:
    """One batch under attack.

    Args:
        logits: the attacked net, (batch, *shape) within `bounds` to (batch, n_classes).
        inputs: clean examples, (batch, *shape); never changed.
        goal: what the attacker wants for each example.
        settings: the attack.
        generator: of everything that the attack draws, on the inputs' device.
        bounds: the smallest and the largest legal input value.
        randomness: how `logits` is random.
    """

    logits: Logits
    inputs: Tensor
    goal: Goal
    settings: AttackSettings
    generator: torch.Generator
    bounds: Bounds = UNIT
    randomness: Randomness = "none"

    @property
    def deterministic(self) -> bool:
        return self.randomness == "none"

    @cached_property
    def ball(self) -> Ball:
        """The legal points around `inputs`."""
        return BALLS[self.settings.norm](self.inputs, epsilon=self.settings.epsilon, bounds=self.bounds)

    def of(self, chosen: Tensor) -> "Problem":
        """The same attack on some of the examples, given by their places."""
        return replace(self, inputs=self.inputs[chosen], goal=self.goal.of(chosen))

    def aimed(self, targets: Tensor) -> "Problem":
        """The same attack, made targeted: each example is to be taken for its class in `targets`, (batch,)."""
        return replace(self, goal=replace(self.goal, targets=targets))


Search = Callable[[Problem], Tensor]
"""One run of an attack: points within the ball, (batch, *shape)."""


@dataclass
class Standing:
    """The examples that an attack with `early_stop` still works on; the others keep the point at which they reached the goal.

    Args:
        problem: the attack on those that stand.
        examples: the last point of every example of the whole batch.
        places: where those that stand lie in the whole batch.
    """

    problem: Problem
    examples: Tensor
    places: Tensor

    @classmethod
    def all_of(cls, problem: Problem, points: Tensor) -> "Standing":
        return cls(problem, points.clone(), torch.arange(len(points), device=points.device))

    def drop(self, points: Tensor, reached: Tensor) -> Tensor:
        """Note the points of those that stood; the places, among these, of those that still stand."""
        self.examples[self.places] = points
        stay = (~reached).nonzero().squeeze(1)
        self.places = self.places[stay]
        self.problem = self.problem.of(stay)
        return stay

    def finished(self, points: Tensor) -> Tensor:
        """Every example's point, those that stand at `points`."""
        self.examples[self.places] = points
        return self.examples
