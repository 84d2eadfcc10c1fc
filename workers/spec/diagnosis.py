"""Settings of the measurements that show whether a model's robustness is real, all resolved. Imports neither torch nor Ray."""

from typing import Any, Literal, NamedTuple, Self

from pydantic import model_validator

from workers.components.settings import Frozen
from workers.registry import ATTACKS
from workers.spec.attack import AttackSettings, settled
from workers.spec.fields import Count, Positive, SignGradientName

ProbeName = Literal[
    "noise",
    "fgsm",
    "pgd",
    "pgd_longer",
    "pgd_margin",
    "apgd_ce",
    "apgd_dlr",
    "eot_pgd",
    "smoothed_pgd",
    "transfer",
    "square_half",
    "square",
    "square_double",
    "square_quadruple",
    "unbounded",
]
ProbeKnowledge = Literal["eot", "randomized", "transfer"]
Depth = Literal["full", "quick"]
FULL_QUERIES = 1000
"""Default queries of a full diagnosis: some masked nets withstand a few hundred and not a thousand."""
SETTLED = 0.05
"""Share of all examples that twice the queries may still fool where Square counts as settled."""
_CLASSES_OF_DLR = 3
STRIDE = 2.5
"""Total step length of a PGD, in radii of its ball (Madry et al., 2018): from any start it can reach any end."""


class DiagnosisSettings(Frozen):
    """A diagnosis: the first `examples` of the fixed balanced order, attacked at `epsilon` in ways whose outcomes differ for a sound net.

    A `full` one also looks for what hides from PGD and a short search: Auto-PGD on two losses, gradients smoothed over input noise,
    examples that transfer from a surrogate, and Square with more queries until it settles. (A defence that states its backward
    approximation is differentiated through that by every attack.)
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
    depth: Depth = "quick"

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


def probes(settings: DiagnosisSettings, *, half_range: float, randomised: bool, n_classes: int | None = None) -> list[Probe]:
    """Return the attacks of a diagnosis that are made on every net, the weakest first (see `more_queries` for others).

    The `unbounded` one may change every value by `half_range`, half of the input range: any input can be changed to the range's
    middle, which holds no information. It is the same PGD as at `epsilon`, adaptive on a randomised net. Auto-PGD's second loss needs
    three of `n_classes`.
    """
    plain, best = _Maker(settings, early=not randomised), _Maker(settings, eot=randomised, early=not randomised)
    full = settings.depth == "full"
    longest = settings.steps if randomised else settings.more_steps
    return [
        plain("noise"),
        plain("fgsm"),
        plain("pgd"),
        plain("pgd_longer", "pgd", steps=settings.more_steps),
        plain("pgd_margin", "pgd", loss="margin"),
        *([best("apgd_ce", steps=longest)] if full else []),
        *([best("apgd_dlr", steps=longest)] if full and (n_classes is None or n_classes >= _CLASSES_OF_DLR) else []),
        *([best("eot_pgd", "pgd")] if randomised else []),
        *([plain("smoothed_pgd", loss="margin"), plain("transfer", "pgd")._replace(knowledge="transfer")] if full else []),
        *([plain("square_half", "square", steps=max(1, settings.queries // 2))] if full and not randomised else []),
        plain("square", steps=settings.queries),
        best("unbounded", "pgd", epsilon=half_range, epsilon_literal=f"{half_range:g}"),
    ]


def more_queries(settings: DiagnosisSettings) -> list[Probe]:
    """Return further runs of Square, for a deterministic net on which twice the queries still gained; each asks twice as often."""
    plain = _Maker(settings, early=True)
    return [
        plain("square_double", "square", steps=2 * settings.queries),
        plain("square_quadruple", "square", steps=4 * settings.queries),
    ]


class _Maker:
    """Factory of probes with a diagnosis's common settings; a full one lets fooled examples leave `early`, where nothing is random."""

    def __init__(self, settings: DiagnosisSettings, *, eot: bool = False, early: bool = False) -> None:
        self._knowledge: ProbeKnowledge = "eot" if eot else "randomized"
        self._early = early and settings.depth == "full"
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
        component = ATTACKS[values["name"]]
        values["settings"] = {name: value for name, value in own.items() if name in component.settings.model_fields}
        values["early_stop"] = self._early and (component.facts.selects or name == "smoothed_pgd")
        chosen = AttackSettings(**values | settled(AttackSettings.model_construct(**values)))
        return Probe(name, chosen, self._knowledge)
