"""Evidence on which one model is judged: every attack on it, and the findings of its diagnoses."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from workers.spec.attack import KINDS
from workers.spec.fields import AttackName

Flags = NDArray[np.bool_]
EPSILON_TOLERANCE = 1e-9
"""Two epsilons that differ by less are the same one, written in two ways."""


@dataclass(frozen=True, kw_only=True)
class AttackEvidence:
    """One attack on the model, over all its repeats and draws.

    Args:
        place: the examples and the batch size; only attacks with the same place can be compared.
        attack, knowledge, norm, epsilon, steps, ...: as in `AttackSettings` and `AttackSpec`.
        n_examples: number of attacked examples.
        rows: number of evaluations of each of them: repeats times draws.
        n_correct: number of these `rows * n_examples` evaluations that were right.
        load: fetches the flags, (rows, n_examples); called only where the totals do not settle a comparison.
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
        """Share of evaluations that were right, in [0, 1]."""
        return self.n_correct / (self.rows * self.n_examples)

    @property
    def takes_gradients(self) -> bool:
        """True where the attacker saw gradients of the very net that was evaluated, its sketch included."""
        return self.knowledge in ("eot", "randomized") and KINDS[cast("AttackName", self.attack)].gradient

    @property
    def is_black_box(self) -> bool:
        """True where the attacker saw no gradients of it: queries, noise, or examples made on another net."""
        return self.knowledge == "transfer" or not KINDS[cast("AttackName", self.attack)].gradient

    @property
    def effort(self) -> int:
        """Number of steps over all restarts."""
        return self.steps * self.restarts

    @property
    def title(self) -> str:
        """Short description of the attack, for reasons."""
        knowledge = "" if self.knowledge == "randomized" else f"{self.knowledge} "
        loss = "" if self.loss == "ce" or KINDS[cast("AttackName", self.attack)].loss is not None else f" ({self.loss})"
        return f"{knowledge}{self.attack}{loss} {self.epsilon_literal}, {self.steps} step{'s' if self.steps > 1 else ''}"


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """Findings of one diagnosis on input gradients: shares in [0, 1] of `n_examples`, and the attacks that stopped with an error."""

    n_examples: int
    zero: float
    nonfinite: float
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModelEvidence:
    """Everything that a verdict depends on.

    Args:
        randomised: true where the model's forward passes are random.
        half_range: half of the input range, in input units: l-infinity changes of that size can erase any input.
        attacks: untargeted attacks; one whose examples or batches no other has is compared with none.
        gradients: one for each diagnosis.
    """

    randomised: bool
    half_range: float
    attacks: tuple[AttackEvidence, ...]
    gradients: tuple[Gradients, ...]
