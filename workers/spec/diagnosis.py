"""Settings of the measurements that show whether a model's robustness is real, all resolved. Imports neither torch nor Ray."""

from typing import Any, Literal, NamedTuple, Self

from pydantic import model_validator

from workers.registry import ATTACKS
from workers.settings import Frozen
from workers.spec.attack import AttackSettings, settled
from workers.spec.fields import Count, Positive, SignGradientName

ProbeName = Literal["noise", "fgsm", "pgd", "pgd_longer", "pgd_margin", "eot_pgd", "square", "unbounded"]
ProbeKnowledge = Literal["eot", "randomized"]
STRIDE = 2.5
"""Total step length of a PGD, in radii of its ball (Madry et al., 2018): from any start it can reach any end."""


class DiagnosisSettings(Frozen):
    """A diagnosis: the first `examples` of the fixed balanced order, attacked at `epsilon` in ways whose outcomes differ for a sound net.

    `epsilon` is an l-infinity one in input units. `steps` are PGD's, `more_steps` those of the PGD that must not gain any more, and
    `queries` Square's. On a randomised net `eot_samples` fresh draws are averaged in each gradient of the adaptive attacker, points
    are compared over `selection_draws`, and adversarial examples are evaluated on `draws` fresh draws; on a deterministic net all three
    are 1. `sign_gradient` is the derivative used for a binary net's sign; other nets have `identity`.
    """

    examples: Count = 100
    batch_size: Count = 50
    epsilon: Positive
    epsilon_literal: str
    steps: Count = 20
    more_steps: Count = 60
    eot_samples: Count = 10
    selection_draws: Count = 4
    queries: Count = 200
    draws: Count = 10
    sign_gradient: SignGradientName = "identity"

    @model_validator(mode="after")
    def _takes_more_steps(self) -> Self:
        require_more(self.steps, self.more_steps)
        return self


def require_more(steps: int, more_steps: int) -> None:
    """Check that the longer attack is longer.

    Raises:
        ValueError: `more_steps` is not larger than `steps`.
    """
    if more_steps <= steps:
        raise ValueError(f"more_steps={more_steps}: must be more than steps, which is {steps}")


class Probe(NamedTuple):
    """One attack of a diagnosis."""

    name: ProbeName
    attack: AttackSettings
    knowledge: ProbeKnowledge


def probes(settings: DiagnosisSettings, *, half_range: float, randomised: bool) -> list[Probe]:
    """Return the attacks of a diagnosis, the weakest first.

    The `unbounded` one may change every value by `half_range`, half of the input range: any input can be changed to the range's
    middle, which holds no information. It is the same PGD as at `epsilon`, adaptive on a randomised net.
    """
    plain, best = _Maker(settings), _Maker(settings, eot=randomised)
    return [
        plain("noise"),
        plain("fgsm"),
        plain("pgd"),
        plain("pgd_longer", "pgd", steps=settings.more_steps),
        plain("pgd_margin", "pgd", loss="margin"),
        *([best("eot_pgd", "pgd")] if randomised else []),
        plain("square", steps=settings.queries),
        best("unbounded", "pgd", epsilon=half_range, epsilon_literal=f"{half_range:g}"),
    ]


class _Maker:
    """Factory of probes with a diagnosis's common settings."""

    def __init__(self, settings: DiagnosisSettings, *, eot: bool = False) -> None:
        self._knowledge: ProbeKnowledge = "eot" if eot else "randomized"
        self._given = {
            "epsilon": settings.epsilon,
            "epsilon_literal": settings.epsilon_literal,
            "steps": settings.steps,
            "selection_draws": settings.selection_draws,
            "eot_samples": settings.eot_samples if eot else 1,
            "sign_gradient": settings.sign_gradient,
        }

    def __call__(self, name: ProbeName, attack: str | None = None, **given: Any) -> Probe:
        values = {"name": attack or name, **self._given, **given}
        own = {"steps": values.pop("steps"), "loss": values.pop("loss", "ce")}
        own["abs_stepsize"] = STRIDE * values["epsilon"] / own["steps"]
        has = ATTACKS[values["name"]].settings.model_fields
        values["settings"] = {name: value for name, value in own.items() if name in has}
        chosen = AttackSettings(**values | settled(AttackSettings.model_construct(**values)))
        return Probe(name, chosen, self._knowledge)
