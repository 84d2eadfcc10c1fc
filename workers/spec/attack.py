"""One attack, every setting resolved, and what an attack's name settles. Imports neither torch nor Ray."""

from dataclasses import dataclass
from typing import Any, Self

from pydantic import model_validator

from workers.spec.fields import (
    AttackName,
    BackendName,
    Count,
    Frozen,
    LossName,
    NonNegative,
    NormName,
    Positive,
    SignGradientName,
    TargetName,
)


@dataclass(frozen=True)
class AttackKind:
    """What an attack's name says of it.

    Args:
        random_start: whether it starts at a random point of the ball (or, like noise, is one); only such an attack has restarts.
        gradient: whether it takes gradients; the others only ask for logits.
        steps: whether the number of its steps is a choice.
        stepsize: its step as a multiple of epsilon; None where `abs_stepsize` is a choice.
        loss: what it climbs; None where that is a choice. Square climbs `ce` when it is targeted.
        selects: whether it compares points while it runs.
    """

    random_start: bool = False
    gradient: bool = True
    steps: bool = True
    stepsize: float | None = None
    loss: LossName | None = None
    selects: bool = False


KINDS: dict[AttackName, AttackKind] = {
    "apgd_ce": AttackKind(random_start=True, stepsize=2, loss="ce", selects=True),
    "apgd_dlr": AttackKind(random_start=True, stepsize=2, loss="dlr", selects=True),
    "bim": AttackKind(),
    "fgsm": AttackKind(steps=False, stepsize=1),
    "mi_fgsm": AttackKind(),
    "noise": AttackKind(random_start=True, gradient=False, steps=False, stepsize=1, loss="ce"),
    "pgd": AttackKind(random_start=True),
    "square": AttackKind(random_start=True, gradient=False, stepsize=1, loss="margin", selects=True),
}
FOOLBOX_ATTACKS: frozenset[AttackName] = frozenset({"bim", "fgsm", "pgd"})


class AttackSettings(Frozen):
    """One attack, resolved. A setting that does nothing under the others has its default (see `settled`).

    `epsilon` and `abs_stepsize` are in input units; `epsilon_literal` is how the user wrote epsilon and is no part of the job key.
    `steps` are gradient steps, for Square queries. `momentum` is MI-FGSM's decay factor. A `target` other than `none` makes the
    attack targeted; robust accuracy then still counts the examples that are classified right. `restarts` run the attack that often.

    On a randomised net, `eot_samples` fresh draws are averaged in each gradient, and points are compared by their losses over
    `selection_draws` fresh draws, never by a single evaluation; on a deterministic net both are 1. `early_stop`, for deterministic
    nets only, lets an example leave once it is fooled. `backend` is whose implementation runs.
    `sign_gradient` is what a binary net's sign is differentiated as; other nets have `identity`.
    """

    name: AttackName
    norm: NormName = "linf"
    epsilon: Positive
    epsilon_literal: str
    steps: Count
    abs_stepsize: Positive
    random_start: bool
    loss: LossName = "ce"
    momentum: NonNegative = 0.0
    target: TargetName = "none"
    restarts: Count = 1
    eot_samples: Count = 1
    selection_draws: Count = 1
    early_stop: bool = False
    backend: BackendName = "native"
    sign_gradient: SignGradientName = "identity"

    @property
    def randomised(self) -> bool:
        """Whether the attack itself draws: two runs on one deterministic net differ."""
        return self.random_start or self.target == "random"

    @property
    def selects(self) -> bool:
        """Whether the attack's outcome depends on which of several points is the better one."""
        return selects(self.name, target=self.target, restarts=self.restarts)

    @model_validator(mode="after")
    def _as_named(self) -> Self:
        for name, value in settled(self).items():
            if getattr(self, name) != value:
                raise ValueError(f"{self.name}: {name} must be {str(value).lower()}")
        if self.backend == "foolbox":
            require_foolbox_form(self.name, loss=self.loss, eot=self.eot_samples > 1, early_stop=self.early_stop)
        return self


def settled(attack: AttackSettings) -> dict[str, Any]:
    """The settings that an attack has no choice about, given its name, epsilon, target and restarts, with their values."""
    kind = KINDS[attack.name]
    restarts = attack.restarts if kind.random_start else 1
    values: dict[str, Any] = {"random_start": kind.random_start, "restarts": restarts}
    if not kind.steps:
        values["steps"] = 1
    if kind.stepsize is not None:
        values["abs_stepsize"] = kind.stepsize * attack.epsilon
    if kind.loss is not None:
        values["loss"] = "ce" if attack.name == "square" and attack.target != "none" else kind.loss
    if attack.name != "mi_fgsm":
        values["momentum"] = 0.0
    if not kind.gradient:
        values |= {"eot_samples": 1, "sign_gradient": "identity"}
    if not selects(attack.name, target=attack.target, restarts=restarts):
        values["selection_draws"] = 1
    if not kind.steps and restarts == 1:
        values["early_stop"] = False
    return values


def selects(name: AttackName, *, target: TargetName, restarts: int) -> bool:
    """Whether an attack's outcome depends on which of several points, or targets, is the better one."""
    return KINDS[name].selects or restarts > 1 or target == "least_likely"


def require_foolbox_form(name: AttackName, *, loss: LossName, eot: bool, early_stop: bool) -> None:
    """Check that Foolbox has this attack as we mean it.

    Raises:
        ValueError: it does not.
    """
    if name not in FOOLBOX_ATTACKS:
        raise ValueError(f"backend=foolbox: not for {name}; one of {', '.join(sorted(FOOLBOX_ATTACKS))}")
    if loss != "ce":
        raise ValueError(f"backend=foolbox with loss={loss}: Foolbox climbs ce")
    if eot:
        raise ValueError("backend=foolbox: Foolbox averages no gradients (knowledge eot); use native")
    if early_stop:
        raise ValueError("backend=foolbox with early_stop=true: Foolbox takes every step; use native")
