"""One attack, every setting resolved. Imports neither torch nor Ray."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple, Self, get_args

from pydantic import model_validator

from workers.components.facts import AttackFacts
from workers.registry import ATTACKS
from workers.spec.component import ComponentSpec
from workers.spec.fields import BackendName, Count, LossName, NormName, Positive, SignGradientName, TargetName, positive_fraction


class AttackSettings(ComponentSpec):
    """One attack, resolved. A setting that does nothing under the others has its default (see `settled`).

    `epsilon` is in input units; `epsilon_literal` is how the user wrote it and is no part of the job key. A `target` other than `none`
    makes the attack targeted; robust accuracy then still counts the examples that are classified right. `restarts` run the attack
    that often. `settings` are the attack's own, such as `steps` (for Square queries) or `loss`.

    On a randomised net, `eot_samples` fresh draws are averaged in each gradient, and points are compared by their losses over
    `selection_draws` fresh draws, never by a single evaluation; on a deterministic net both are 1. `early_stop`, for deterministic
    nets only, lets an example leave once it is fooled. `backend` is whose implementation runs.
    `sign_gradient` is what a binary net's sign is differentiated as; other nets have `identity`.
    """

    registry: ClassVar = ATTACKS

    name: str
    norm: NormName = "linf"
    epsilon: Positive
    epsilon_literal: str
    target: TargetName = "none"
    restarts: Count = 1
    eot_samples: Count = 1
    selection_draws: Count = 1
    early_stop: bool = False
    backend: BackendName = "native"
    sign_gradient: SignGradientName = "identity"

    @classmethod
    def _context(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        try:
            epsilon = positive_fraction(str(data.get("epsilon_literal", "")))
        except ValueError:  # as it was written by no person
            epsilon = Fraction(str(data.get("epsilon", 0)))
        return {"epsilon": epsilon, "norm": data.get("norm", "linf")}

    @property
    def facts(self) -> AttackFacts:
        """Its component's facts; a setting `random_start` says if it starts at random."""
        facts: AttackFacts = self.component.facts
        starts = getattr(self.settings, "random_start", None)
        return replace(facts, random_start=starts) if isinstance(starts, bool) else facts

    @property
    def steps(self) -> int | None:
        """Its number of steps, where that is a setting."""
        return getattr(self.settings, "steps", None)

    @property
    def loss(self) -> str:
        """The loss by which its outcomes are compared: its setting `loss`, where that is one of ours."""
        by_name = self.facts.loss if self.target == "none" else self.facts.targeted_loss
        chosen: str = getattr(self.settings, "loss", by_name)
        return chosen if chosen in get_args(LossName) else by_name

    @property
    def randomised(self) -> bool:
        """True where the attack itself draws: two runs on one deterministic net differ."""
        return self.facts.random_start or self.restarts > 1 or self.target == "random"

    @property
    def selects(self) -> bool:
        """True where the attack's outcome depends on which of several points is the better one."""
        return selects(self.facts, target=self.target, restarts=self.restarts)

    @model_validator(mode="after")
    def _as_named(self) -> Self:
        if self.registry.find(self.name) is None:
            return self
        if self.norm not in self.facts.norms:
            raise ValueError(f"norm={self.norm}: {self.name} has {', '.join(self.facts.norms)}")
        for name, value in settled(self).items():
            if getattr(self, name) != value:
                raise ValueError(f"{self.name}: {name} must be {str(value).lower()}")
        if self.backend == "foolbox":
            require_foolbox_form(self.name, loss=self.loss, eot=self.eot_samples > 1, early_stop=self.early_stop)
        return self


def settled(attack: AttackSettings) -> dict[str, Any]:
    """The settings that an attack has no choice about, given its name, target and restarts, with their values."""
    facts: AttackFacts = ATTACKS[attack.name].facts
    restarts = attack.restarts if facts.has_restarts else 1
    values: dict[str, Any] = {"restarts": restarts}
    if facts.untargeted:
        values["target"] = "none"
    if not facts.averages:
        values["eot_samples"] = 1
    if not facts.takes_gradients:
        values["sign_gradient"] = "identity"
    if not selects(facts, target=values.get("target", attack.target), restarts=restarts):
        values["selection_draws"] = 1
    if facts.suite or ((facts.one_step or (facts.library and not facts.minimises)) and restarts == 1):
        values["early_stop"] = False
    return values


def selects(facts: AttackFacts, *, target: TargetName, restarts: int) -> bool:
    """Tell whether an attack's outcome depends on which of several points, or targets, is the better one."""
    return facts.selects or restarts > 1 or target == "least_likely"


def not_averaged(name: str) -> str | None:
    """Return the reason why an attack's gradients cannot be averaged over draws, as knowledge `eot` asks; None where they can."""
    facts: AttackFacts = ATTACKS[name].facts
    if facts.averages:
        return None
    return f"{name} takes its gradients itself, and gives none" if facts.takes_gradients else f"{name} takes no gradient"


def not_on_draws(name: str) -> str | None:
    """Return the reason why an attack cannot be made on a randomised net itself; None where it can."""
    facts: AttackFacts = ATTACKS[name].facts
    if not (facts.library and facts.selects):
        return None
    return f"attack {name}: compares points by single evaluations, and the net is randomised; knowledge must be omniscient or transfer"


def require_foolbox_form(name: str, *, loss: str, eot: bool, early_stop: bool) -> None:
    """Check that Foolbox has this attack as we mean it.

    Raises:
        ValueError: it does not.
    """
    if not ATTACKS[name].facts.foolbox:
        raise ValueError(f"backend=foolbox: not for {name}; one of {', '.join(found.name for found in ATTACKS if found.facts.foolbox)}")
    if loss != "ce":
        raise ValueError(f"backend=foolbox with loss={loss}: Foolbox climbs ce")
    if eot:
        raise ValueError("backend=foolbox: Foolbox averages no gradients (knowledge eot); use native")
    if early_stop:
        raise ValueError("backend=foolbox with early_stop=true: Foolbox takes every step; use native")


class _Part(NamedTuple):
    attack: str
    restarts: int = 1
    settings: dict[str, Any] = {}


_SQUARE = _Part("square", settings={"schedule": "paper"})
_PARTS: dict[str, tuple[_Part, ...]] = {
    "standard": (_Part("apgd_ce"), _Part("apgd_t"), _Part("fab_t"), _SQUARE),
    "plus": (_Part("apgd_ce", 5), _Part("apgd_dlr", 5), _Part("fab", 5), _SQUARE, _Part("apgd_t"), _Part("fab_t")),
    "rand": (_Part("apgd_ce"), _Part("apgd_dlr")),
}
MOST_PARTS = max(map(len, _PARTS.values()))
AFTER = "after"
"""The name, next to an attack's own settings in results, of the attacks whose survivors it was given."""
_SHARED = ("norm", "epsilon", "epsilon_literal", "eot_samples", "selection_draws", "sign_gradient")


def parts(suite: AttackSettings, *, early_stop: bool) -> list[AttackSettings]:
    """Return the attacks of a suite in their order, with the official numbers of steps, queries and restarts.

    Args:
        suite: the attack `autoattack`; its ball, its draws and its `sign_gradient` are the parts' own.
        early_stop: whether an example leaves a part once it is fooled: on deterministic nets.
    """
    shared = {name: getattr(suite, name) for name in _SHARED}
    version: str = getattr(suite.settings, "version")  # noqa: B009 (a setting of this attack alone)
    return [_resolved(part, shared | {"early_stop": early_stop}) for part in _PARTS[version]]


def _resolved(part: _Part, shared: dict[str, Any]) -> AttackSettings:
    values = {"name": part.attack, "restarts": part.restarts, "settings": part.settings, **shared}
    return AttackSettings.model_validate({**values, **settled(AttackSettings.model_construct(**values))})
