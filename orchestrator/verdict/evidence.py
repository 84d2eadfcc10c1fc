"""What is known of one model when it is judged: every attack that was tried on it, and what its diagnoses found."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from workers.spec.attack import KINDS
from workers.spec.fields import AttackName

Flags = NDArray[np.bool_]
GAP = 1e-9
"""Two epsilons that differ by less are the same one, written in two ways."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One attack on the model, over all its repeats and draws.

    Args:
        place: which examples, in batches of which size; only what has the same place can be compared.
        attack, knowledge, norm, epsilon, steps, ...: as in `AttackSettings` and `AttackSpec`.
        n_examples: how many examples were attacked.
        rows: how often each of them was evaluated: repeats times draws.
        n_correct: how many of these `rows * n_examples` evaluations were right.
        load: fetches the flags, (rows, n_examples); asked only where the totals do not settle a comparison.
    """

    place: Hashable
    attack: str
    knowledge: str
    norm: str
    epsilon: float
    epsilon_literal: str
    steps: int
    abs_stepsize: float
    random_start: bool
    loss: str
    target: str
    restarts: int
    momentum: float = 0.0
    eot_samples: int = 1
    sign_gradient: str = "identity"
    source: str | None = None
    n_examples: int
    rows: int
    n_correct: int
    load: Callable[[], Flags] = field(compare=False, repr=False)

    @cached_property
    def flags(self) -> Flags:
        return self.load()

    @property
    def accuracy(self) -> float:
        """The share of evaluations that were right, in [0, 1]."""
        return self.n_correct / (self.rows * self.n_examples)

    @property
    def takes_gradients(self) -> bool:
        """Whether the attacker saw gradients of the very net that was evaluated, its sketch included."""
        return self.knowledge in ("eot", "randomized") and KINDS[cast("AttackName", self.attack)].gradient

    @property
    def is_black_box(self) -> bool:
        """Whether the attacker saw none: queries, noise, or examples made on another net."""
        return self.knowledge == "transfer" or not KINDS[cast("AttackName", self.attack)].gradient

    @property
    def effort(self) -> int:
        """How many steps it takes in all."""
        return self.steps * self.restarts

    @property
    def title(self) -> str:
        """The attack in a few words, for reasons."""
        knowledge = "" if self.knowledge == "randomized" else f"{self.knowledge} "
        loss = "" if self.loss == "ce" or KINDS[cast("AttackName", self.attack)].loss is not None else f" ({self.loss})"
        return f"{knowledge}{self.attack}{loss} {self.epsilon_literal}, {self.steps} step{'s' if self.steps > 1 else ''}"


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """What one diagnosis says of the model's input gradients: shares in [0, 1] of `n_examples`, and the attacks that came to nothing."""

    n_examples: int
    zero: float
    nonfinite: float
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that a verdict rests on.

    Args:
        randomised: whether the model's forward passes are random.
        half_range: half of the input range, in input units: l-infinity changes of that size can erase any input.
        tried: untargeted attacks; one whose examples or batches nobody else has is compared with nothing.
        gradients: one for each diagnosis.
    """

    randomised: bool
    half_range: float
    tried: tuple[Tried, ...]
    gradients: tuple[Gradients, ...]
