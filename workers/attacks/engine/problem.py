"""Input of an attack: one batch, the net as a function that returns logits, and the attacker's goal."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite

import torch
from torch import Tensor

from workers.attacks.engine.losses import Goal
from workers.attacks.engine.norms import BALLS, UNIT, Ball, Bounds, largest
from workers.errors import NonFiniteError
from workers.spec.attack import AttackSettings
from workers.spec.fields import Randomness

Logits = Callable[[Tensor], Tensor]


@dataclass
class Passes:
    """Cost of an attack in examples: those that went `forward` through the net, the `queries` among these for which no gradient was to
    follow, and those for which one was taken (`backward`)."""

    forward: int = 0
    backward: int = 0
    queries: int = 0


@dataclass(frozen=True)
class Watched:
    """A net as a function that counts what it is asked, and flags, on the device, the examples for which it ever gave logits or a
    gradient that is not finite.

    Every attack asks the net through one, a user's too: an attack would take NaN for a gradient of 0, or for the lower loss.

    Args:
        net: the function.
        flags: of the whole batch.
        places: indices in it of the examples that the function is called with (several copies of them, one after the other).
        sizes: of the smallest perturbation of each example of the batch with which a minimum-norm attack reached the goal, in the
            attack's norm and input units; infinite where there is none.
        passes: what the net was asked, for the whole batch.
    """

    net: Logits
    flags: Tensor
    places: Tensor
    sizes: Tensor
    passes: Passes

    @classmethod
    def all_of(cls, net: Logits, labels: Tensor) -> "Watched":
        flags, places = torch.zeros_like(labels, dtype=torch.bool), torch.arange(len(labels), device=labels.device)
        return cls(net, flags, places, torch.full_like(labels, torch.inf, dtype=torch.float32), Passes())

    def __call__(self, points: Tensor) -> Tensor:
        self.passes.forward += len(points)
        if points.requires_grad:
            points.register_hook(self._look_back)
        else:
            self.passes.queries += len(points)
        logits = self.net(points)
        self._look(logits.detach())
        return logits

    def of(self, chosen: Tensor) -> "Watched":
        return replace(self, places=self.places[chosen])

    def draws_shared(self, copies: int) -> AbstractContextManager[None]:
        """Inside, the copies of an example in one call have one draw, if the net can do that (see `Network.draws_shared`)."""
        share = getattr(self.net, "draws_shared", None)
        return nullcontext() if share is None else share(copies)

    def note_sizes(self, sizes: Tensor) -> None:
        """Record the sizes of perturbations that reach the goal, (examples at `places`,), infinite where there is none."""
        self.sizes[self.places] = torch.minimum(self.sizes[self.places], sizes.to(self.sizes.dtype))

    def _look_back(self, slopes: Tensor) -> None:
        self.passes.backward += len(slopes)
        self._look(slopes)

    def _look(self, values: Tensor) -> None:
        if values.device.type == "cpu" and isfinite(float(values.sum())):  # on another device, to ask would be to wait for it
            return
        bad = ~largest(values).flatten().isfinite()
        places = self.places[: len(bad)]  # an attack may also ask about the first examples only
        whole = len(bad) // len(places) * len(places)
        self.flags[places] |= bad[:whole].view(-1, len(places)).any(dim=0)

    def require_finite(self) -> None:
        """Check what was seen so far.

        Raises:
            NonFiniteError: the net gave values that are not finite.
        """
        if count := int(self.flags.sum()):
            raise NonFiniteError(f"{count} of {len(self.flags)} examples cannot be attacked: the gradient or the logits are not finite")


@dataclass(frozen=True)
class Problem:
    """One batch under attack.

    Args:
        logits: the attacked net, (batch, *shape) within `bounds` to (batch, n_classes); it is watched.
        inputs: clean examples, (batch, *shape); never changed.
        goal: the attacker's goal for each example.
        settings: the attack.
        generator: of everything that the attack draws, on the inputs' device.
        bounds: the smallest and the largest legal input value.
        randomness: kind of randomness of `logits`.
        run: number of the restart, from 0.
    """

    logits: Logits
    inputs: Tensor
    goal: Goal
    settings: AttackSettings
    generator: torch.Generator
    bounds: Bounds = UNIT
    randomness: Randomness = "none"
    run: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "logits", self.watched)

    @property
    def watched(self) -> Watched:
        return self.logits if isinstance(self.logits, Watched) else Watched.all_of(self.logits, self.goal.labels)

    @property
    def deterministic(self) -> bool:
        return self.randomness == "none"

    @cached_property
    def ball(self) -> Ball:
        """The legal points around `inputs`."""
        return BALLS[self.settings.norm](self.inputs, epsilon=self.settings.epsilon, bounds=self.bounds)

    def of(self, chosen: Tensor) -> "Problem":
        """Return the same attack on some of the examples, given by their indices."""
        return replace(self, logits=self.watched.of(chosen), inputs=self.inputs[chosen], goal=self.goal.of(chosen))

    def aimed(self, targets: Tensor) -> "Problem":
        """Return the same attack, made targeted: each example is to be classified as its class in `targets`, (batch,)."""
        return replace(self, goal=replace(self.goal, targets=targets))

    def towards(self, classes: Tensor) -> "Problem":
        """Return the same attack with its loss aimed at one of `classes` for each example, (batch,); any class but the label will do."""
        return replace(self, goal=replace(self.goal, towards=classes))


AttackRun = Callable[[Problem], Tensor]
"""One run of an attack: points within the ball, (batch, *shape)."""


@dataclass
class ActiveExamples:
    """The active examples of an attack with `early_stop`; the others keep the point at which they reached the goal.

    Args:
        problem: the attack on the active examples.
        examples: the last point of every example of the whole batch.
        places: indices of the active examples in the whole batch.
    """

    problem: Problem
    examples: Tensor
    places: Tensor

    @classmethod
    def all_of(cls, problem: Problem, points: Tensor) -> "ActiveExamples":
        return cls(problem, points.clone(), torch.arange(len(points), device=points.device))

    def drop(self, points: Tensor, reached: Tensor) -> Tensor | None:
        """Record the points of the active examples that `reached` the goal; return the indices, among the active ones, of those that stay
        active, or None where all do: nothing is then copied."""
        stay = (~reached).nonzero().squeeze(1)
        if len(stay) == len(reached):
            return None
        self.examples[self.places[reached]] = points[reached]
        self.places = self.places[stay]
        self.problem = self.problem.of(stay)
        return stay

    def finished(self, points: Tensor) -> Tensor:
        """Return every example's point, with the active ones at `points`."""
        self.examples[self.places] = points
        return self.examples
