"""Attack groups of a space, and the rules that turn one combination of settings into a resolved attack."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import floor
from typing import Any, Literal, NamedTuple, Self

from pydantic import ValidationInfo, field_validator, model_validator

from search_spaces.schema.axes import Axes, Axis, PositiveLiteral, Steps
from workers.spec.attack import KINDS, AttackKind, AttackSettings, require_foolbox_form, settled
from workers.spec.fields import (
    AttackName,
    BackendName,
    Count,
    Knowledge,
    LossName,
    NonNegative,
    NormName,
    SignGradientName,
    TargetName,
    epsilon_fraction,
    positive_fraction,
)

SourceName = Literal["dense", "parent", "undefended"]
"""On which other model transferred examples are made: `parent`, the theta = 1 net from which the attacked one comes, trained in the same
way and without a defence around it; `undefended`, that net trained neither adversarially nor with a defence; `dense`, the undefended net
of the same architecture with ordinary convolutions."""

OWN_STEPS: dict[AttackName, int] = {"apgd_ce": 100, "apgd_dlr": 100, "square": 5000}
"""What `steps: paper` means where it is not the paper's rule: the numbers of AutoAttack (Croce & Hein, 2020)."""


def paper_steps(epsilon: Fraction) -> int:
    """The paper's number of steps for an exact `epsilon` in input units, (0, 1]: floor(min(e + 4, 1.25 e)), e = 255 epsilon; at least 1.

    Source: Kurakin et al. 2017 (BIM), as used by the paper for BIM and PGD: 2/255 -> 2, 8/255 -> 10, 16/255 -> 20.
    """
    e = 255 * epsilon
    return max(1, floor(min(e + 4, e * Fraction(5, 4))))


_USERS: dict[str, Callable[[AttackKind], bool]] = {
    "steps": lambda kind: kind.steps,
    "abs_stepsize": lambda kind: kind.stepsize is None,
    "loss": lambda kind: kind.loss is None,
    "momentum": lambda kind: kind is KINDS["mi_fgsm"],
    "restarts": lambda kind: kind.random_start,
}


class Asked(NamedTuple):
    """One attack of a group, with what its attacker knows; `source` is None where nothing is transferred."""

    attack: AttackSettings
    knowledge: Knowledge
    source: SourceName | None


class AttackGroup(Axes):
    """Attacks that share settings; every combination of its axes is one attack.

    A setting that an attack does not have applies to the others of the group; one that no attack of the group has is a mistake.
    What depends on the model makes no jobs where it changes nothing: `sign_gradient` where it is not binary, `early_stop` where it
    is randomised, `eot_samples` and `selection_draws` where it is not. Nothing is transferred from a model to itself.
    """

    attack: Axis[AttackName]
    norm: Axis[NormName] = ("linf",)
    epsilon: Axis[PositiveLiteral]
    knowledge: Axis[Knowledge] = ("randomized",)
    source: Axis[SourceName] = ("parent",)
    steps: Axis[Steps] = ("paper",)
    abs_stepsize: Axis[PositiveLiteral] = ("1/255",)
    loss: Axis[LossName] = ("ce",)
    momentum: Axis[NonNegative] = (1.0,)
    target: Axis[TargetName] = ("none",)
    restarts: Axis[Count] = (1,)
    eot_samples: Axis[Count] = (10,)
    selection_draws: Axis[Count] = (8,)
    early_stop: Axis[bool] = (False,)
    backend: Axis[BackendName] = ("native",)
    sign_gradient: Axis[SignGradientName] = ("identity",)

    @field_validator("epsilon")
    @classmethod
    def _is_in_input_units(cls, values: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("norm") != ("l2",):
            for literal in values:
                epsilon_fraction(literal)
        return values

    @field_validator("knowledge")
    @classmethod
    def _has_gradients_to_average(cls, values: tuple[Knowledge, ...], info: ValidationInfo) -> tuple[Knowledge, ...]:
        for attack in info.data.get("attack", ()):
            if "eot" in values and not KINDS[attack].gradient:
                raise ValueError(f"attack {attack} takes no gradient to average; give it a group without eot")
        return values

    @field_validator("source")
    @classmethod
    def _is_transferred(cls, values: tuple[SourceName, ...], info: ValidationInfo) -> tuple[SourceName, ...]:
        if "transfer" not in info.data.get("knowledge", ("transfer",)):
            raise ValueError("only knowledge transfer has a source; leave source out")
        return values

    @field_validator(*_USERS)
    @classmethod
    def _is_used(cls, values: tuple[object, ...], info: ValidationInfo) -> tuple[object, ...]:
        attacks, name = info.data.get("attack", ()), info.field_name
        if name is not None and attacks and not any(_USERS[name](KINDS[attack]) for attack in attacks):
            raise ValueError(f"{_without(attacks[0], name)}; leave {name} out")
        return values

    @field_validator("eot_samples")
    @classmethod
    def _averages(cls, values: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        if "eot" not in info.data.get("knowledge", ("eot",)):
            raise ValueError("only knowledge eot averages gradients; leave eot_samples out")
        return values

    @field_validator("backend")
    @classmethod
    def _has_the_attacks(cls, values: tuple[BackendName, ...], info: ValidationInfo) -> tuple[BackendName, ...]:
        if "foolbox" in values:
            eot, early_stop = "eot" in info.data.get("knowledge", ()), True in info.data.get("early_stop", ())
            for attack in info.data.get("attack", ()):
                for loss in info.data.get("loss", ()):
                    require_foolbox_form(attack, loss=loss, eot=eot, early_stop=early_stop)
        return values

    @model_validator(mode="after")
    def _steps_of_l2_are_known(self) -> Self:
        if "l2" in self.norm:
            for name, kind in ((name, KINDS[name]) for name in self.attack if KINDS[name].stepsize is None):
                if "paper" in self.steps and kind.steps:
                    raise ValueError(f"steps=paper: there is no such rule under norm l2; give {name} a number of steps")
                if "abs_stepsize" not in self.model_fields_set:
                    raise ValueError(f"abs_stepsize: missing; under norm l2 {name} has no default")
        return self

    def resolved(self) -> Iterator[Asked]:
        """Every attack of the group with what its attacker knows, for a randomised model; equal ones may come again."""
        for point in self.points():
            knowledge, source = point.pop("knowledge"), point.pop("source")
            attack = _settings(**point, eot=knowledge == "eot")
            yield Asked(attack, knowledge, source if knowledge == "transfer" else None)


def _without(attack: AttackName, setting: str) -> str:
    """Why an attack has no such setting."""
    kind = KINDS[attack]
    match setting:
        case "steps" | "abs_stepsize" if attack == "fgsm":
            return "attack fgsm is one step of size epsilon"
        case "loss":
            return f"attack {attack} climbs {kind.loss}"
        case "restarts":
            return f"attack {attack} has no random start"
        case _:
            return f"attack {attack} has no {setting}"


def _settings(*, attack: AttackName, epsilon: str, steps: int | str, abs_stepsize: str, eot: bool, **given: Any) -> AttackSettings:
    exact = positive_fraction(epsilon)
    values = {
        "name": attack,
        "epsilon": float(exact),
        "epsilon_literal": epsilon,
        "steps": OWN_STEPS.get(attack) or paper_steps(exact) if steps == "paper" else steps,
        "abs_stepsize": float(positive_fraction(abs_stepsize)),
        **given,
    }
    if not eot:
        values["eot_samples"] = 1
    return AttackSettings(**{**values, **settled(AttackSettings.model_construct(**values))})
