"""Rounds of an audit: the suite that the field trusts, then what would refute or confirm a verdict that is in doubt; and the time that
they may take."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.errors import UserError
from workers.spec.fields import NormName, positive_fraction

_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Budget:
    """A number of seconds from now; None: no end. No round begins after it, one that has begun is finished."""

    seconds: float | None
    clock: Callable[[], float] = time.monotonic
    _start: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_start", self.clock())

    @property
    def is_spent(self) -> bool:
        return self.seconds is not None and self.clock() - self._start >= self.seconds


def read_budget(text: str | None) -> Budget:
    """Read `90s`, `30m` or `2h`.

    Raises:
        UserError: it is none of these.
    """
    if text is None:
        return Budget(None)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if found is None or float(found[1]) == 0:
        raise UserError(f"--budget {text!r}: a number of seconds, minutes or hours, such as 90s, 30m or 2h")
    return Budget(float(found[1]) * _UNITS[found[2]])


PlainAttackGroup = dict[str, Any]


@dataclass(frozen=True)
class Round:
    """Further attacks, with what they are to find out."""

    purpose: str
    groups: tuple[PlainAttackGroup, ...]


def rounds(*, epsilon: str, norm: NormName, randomised: bool, by_itself: bool = False, keep_examples: int = 0) -> list[Round]:
    """Return the rounds, the first of which is always run; each later one only while the verdict is in doubt.

    Args:
        epsilon: in input units, as it was written.
        norm: of the ball.
        randomised: the network draws; then gradients are averaged over draws, and attacks on the full weights are made too.
        by_itself: what draws is the network's own code, which has no full weights, and not a sketch or a defence around it.
        keep_examples: of so many examples attacks keep what they made of them (those on the full weights keep all anyway).
    """
    bare: PlainAttackGroup = {"epsilon": epsilon, "norm": norm}
    ball = {**bare, "keep_examples": keep_examples} if keep_examples else bare
    adaptive: PlainAttackGroup = {"knowledge": "eot", "eot_samples": 10} if randomised else {}
    patient: PlainAttackGroup = {"knowledge": "eot", "eot_samples": 40} if randomised else {}
    first = [
        {"attack": "autoattack", "version": "rand" if randomised else "standard", **ball, **adaptive},
        *([{"attack": "square", **ball}] if randomised else []),
        *([{"attack": "apgd_ce", "knowledge": "omniscient", **bare}] if randomised and not by_itself else []),
    ]
    steps: PlainAttackGroup = {"attack": ["apgd_ce", "apgd_dlr"], "steps": 300, "restarts": 3, **ball}
    noisy: PlainAttackGroup = {"attack": "smoothed_pgd", "steps": 50, "samples": 20, "abs_stepsize": _step(epsilon), **ball}
    suite: PlainAttackGroup = {"attack": "autoattack", "version": "plus", **ball}
    return [
        Round("the suite", tuple(first)),
        Round("gradients averaged over noisy inputs", (noisy | adaptive,)),
        Round("more steps, restarts and draws", (steps | patient,)),
        Round("twenty thousand queries", ({"attack": "square", "steps": 20_000, **ball},)),
        *([] if randomised else [Round("every attack of the suite", (suite,))]),
    ]


def _step(epsilon: str) -> float:
    """Step size of fifty steps that together cross the ball two and a half times."""
    return float(positive_fraction(epsilon) / 20)


def space_of(common: Mapping[str, Any], chosen: list[Round]) -> dict[str, Any]:
    """Return the space of some rounds: the common sections, and the attacks of each."""
    return {**common, "attacks": [group for found in chosen for group in found.groups]}
