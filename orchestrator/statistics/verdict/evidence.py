"""Evidence on which one model is judged: every attack on it, and the findings of its diagnoses."""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from orchestrator.statistics.worst_case import Flags

Repeats = Sequence[Flags]
"""Flags of each repeat, (draws, examples)."""
EPSILON_TOLERANCE = 1e-9
"""Two epsilons that differ by less are the same one, written in two ways."""


@dataclass(frozen=True, kw_only=True)
class AttackEvidence:
    """One attack on the model, over all its repeats and draws.

    Args:
        place: which examples, in batches of which size; only what has the same place can be compared.
        attack, knowledge, norm, epsilon, settings, ...: as in `AttackSettings` and `AttackSpec`; `settings` are the attack's own.
        loss, random_start, gradients, one_step: facts of the attack, None where they are not known: nothing then rests on them.
        n_examples: how many examples were attacked, in batches of `batch_size`, which may share draws (None: all may).
        rows: how often each of them was evaluated: repeats times draws.
        probe: True where a diagnosis made it, among others of about the same effort.
        n_correct: how many of these `rows * n_examples` evaluations were right.
        load: fetches the flags of each repeat, (draws, n_examples); asked only where the totals do not settle a comparison.
    """

    place: Hashable
    attack: str
    knowledge: str
    norm: str
    epsilon: float
    epsilon_literal: str
    settings: Mapping[str, Any]
    loss: str | None
    random_start: bool | None
    gradients: bool | None
    one_step: bool | None
    target: str
    restarts: int
    eot_samples: int = 1
    sign_gradient: str = "identity"
    source: str | None = None
    n_examples: int
    batch_size: int | None = None
    rows: int
    n_correct: int
    probe: bool = False
    load: Callable[[], Repeats] = field(compare=False, repr=False)

    @cached_property
    def flags(self) -> Repeats:
        return self.load()

    @property
    def accuracy(self) -> float:
        """Share of evaluations that were right, in [0, 1]."""
        return self.n_correct / (self.rows * self.n_examples)

    @property
    def takes_gradients(self) -> bool:
        """True where the attacker saw gradients of the very net that was evaluated, its sketch included."""
        return self.knowledge in ("eot", "randomized") and self.gradients is True

    @property
    def is_black_box(self) -> bool:
        """True where the attacker saw none: queries, noise, or examples made on another net."""
        return self.knowledge == "transfer" or self.gradients is False

    @property
    def queries(self) -> int:
        """The number of times that it asked for logits; 0 where it took gradients, or asked nothing."""
        return self.effort if self.gradients is False and "steps" in self.settings else 0

    @property
    def smoothed(self) -> bool:
        """True where it averages each gradient over noisy inputs, as large as its setting `sigma` says: it then sees another loss."""
        return "sigma" in self.settings

    @property
    def steps(self) -> int:
        """Its number of steps; 1 where it has no such setting."""
        return int(self.settings.get("steps", 1))

    @property
    def effort(self) -> int:
        """The number of its steps in all restarts."""
        return self.steps * self.restarts

    @property
    def reaches_all(self) -> bool:
        """True where its steps lead from its start to any point of its ball, or it chooses their length itself."""
        diameter = 2 if self.random_start else 1
        stepsize = self.settings.get("abs_stepsize")
        return stepsize is None or self.steps * stepsize >= diameter * self.epsilon - EPSILON_TOLERANCE

    def other_settings(self, *but: str) -> Hashable:
        """Its own settings, without some."""
        return json.dumps({name: value for name, value in self.settings.items() if name not in but}, sort_keys=True)

    @property
    def title(self) -> str:
        """Short description of the attack, for reasons."""
        knowledge = "" if self.knowledge == "randomized" else f"{self.knowledge} "
        loss = "" if self.settings.get("loss", "ce") == "ce" else f" ({self.loss})"
        steps = f", {self.steps} step{'s' if self.steps > 1 else ''}" if self.one_step or "steps" in self.settings else ""
        return f"{knowledge}{self.attack}{loss} {self.epsilon_literal}{steps}"


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
        randomised: True where the model's forward passes are random, or may be.
        half_range: half of the input range, in input units: l-infinity changes of that size can erase any input. None if not known.
        n_classes: of the data set; None if not known.
        attacks: untargeted attacks; one whose examples or batches no other has is compared with none.
        gradients: one for each diagnosis.
    """

    randomised: bool
    half_range: float | None
    n_classes: int | None
    attacks: tuple[AttackEvidence, ...]
    gradients: tuple[Gradients, ...]
