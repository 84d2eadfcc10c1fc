"""Attack groups of a space, and the rules that turn one combination of settings into a resolved attack."""

from collections.abc import Iterator
from fractions import Fraction
from math import floor
from typing import Literal

from pydantic import ValidationInfo, field_validator

from search_spaces.axes import Axes, Axis, EpsilonLiteral, Steps
from workers.fields import AttackName, Knowledge, SignGradientName, epsilon_fraction
from workers.specs import AttackSettings


def paper_steps(epsilon: Fraction) -> int:
    """The paper's number of steps for an exact `epsilon` in input units, (0, 1]: floor(min(e + 4, 1.25 e)), e = 255 epsilon; at least 1.

    Source: Kurakin et al. 2017 (BIM), as used by the paper for BIM and PGD: 2/255 -> 2, 8/255 -> 10, 16/255 -> 20.
    """
    e = 255 * epsilon
    return max(1, floor(min(e + 4, e * Fraction(5, 4))))


class AttackGroup(Axes):
    """Attacks that share settings; every combination of its axes is one attack. FGSM has neither `steps` nor `abs_stepsize`;
    `sign_gradient` is for binary models, on the others it has no effect and makes no jobs."""

    attack: Axis[AttackName]
    epsilon: Axis[EpsilonLiteral]
    knowledge: Axis[Knowledge] = ("randomized",)
    steps: Axis[Steps] = ("paper",)
    abs_stepsize: Axis[EpsilonLiteral] = ("1/255",)
    sign_gradient: Axis[SignGradientName] = ("identity",)

    @field_validator("steps", "abs_stepsize")
    @classmethod
    def _has_steps(cls, values: tuple[object, ...], info: ValidationInfo) -> tuple[object, ...]:
        if info.data.get("attack") == ("fgsm",):
            raise ValueError(f"attack fgsm is one step of size epsilon; leave {info.field_name} out")
        return values

    def resolved(self) -> Iterator[tuple[AttackSettings, Knowledge]]:
        """Every attack of the group with what its attacker knows."""
        for point in self.points():
            knowledge = point.pop("knowledge")
            yield _settings(**point), knowledge


def _settings(
    *, attack: AttackName, epsilon: str, steps: int | Literal["paper"], abs_stepsize: str, sign_gradient: SignGradientName
) -> AttackSettings:
    exact = epsilon_fraction(epsilon)
    if attack == "fgsm":
        steps, abs_stepsize = 1, epsilon
    return AttackSettings(
        name=attack,
        epsilon=float(exact),
        epsilon_literal=epsilon,
        steps=paper_steps(exact) if steps == "paper" else steps,
        abs_stepsize=float(epsilon_fraction(abs_stepsize)),
        random_start=attack == "pgd",
        sign_gradient=sign_gradient,
    )
