"""Pairwise comparison of attacks on the same examples: the rule by which one counts as stronger than another."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Literal

from orchestrator.verdict.evidence import GAP, Evidence, Tried
from orchestrator.verdict.paired import chance_of_gain

Outcome = Literal["passed", "suspicious", "failed", "not made"]
MARGIN = 0.05
"""Gains up to this share of all examples are tolerated: equally good attacks differ by as much on a hundred examples, and the figures
of a sound net would keep their meaning."""
LARGE = 0.2
"""A gain by more than this share makes the weaker attack's figure worthless, whatever the reason."""
ALPHA = 0.01
"""A gain counts where chance explains it with at most this probability, divided among all comparisons of a check (Bonferroni)."""
FEWEST_EXAMPLES = 35
"""Fewest examples to compare attacks on: with fewer, a gain of LARGE could not count, since seven differences out of seven
(0.5^7 < ALPHA) must be within LARGE."""
FEWEST_ROWS = 3
"""Fewest evaluations of a randomised model: a figure from fewer may be the luck of one draw, which a whole batch shares."""
FEWEST_STEPS = 10
"""Fewest steps of an iterative attack that others are compared with: the paper's rule gives two at epsilon 2/255."""


@dataclass(frozen=True)
class Check:
    """Result of one check; `reason` is one line, `numbers` are the figures it is based on (accuracies and gains are shares in [0, 1])."""

    name: str
    outcome: Outcome
    reason: str
    numbers: dict[str, float]


@dataclass(frozen=True)
class Duel:
    """Two attacks to compare: the challenger should not be stronger than the reference."""

    reference: Tried
    challenger: Tried

    @property
    def gain(self) -> float:
        """Accuracy under the reference minus that under the challenger, as a share of the evaluated examples."""
        return self.reference.accuracy - self.challenger.accuracy


@dataclass(frozen=True)
class Weight:
    """Outcomes of a check with a gain beyond chance: `small` for one above MARGIN, `large` for one above LARGE."""

    small: Outcome
    large: Outcome


def judged(name: str, duels: list[Duel], weight: Weight) -> Check:
    """Return the check by the largest gain that counts; flags are loaded only where one is above MARGIN."""
    ordered = sorted(duels, key=lambda duel: -duel.gain)
    notable = [duel for duel in ordered if duel.gain > MARGIN]
    for duel in notable:
        chance = _chance(duel)
        if chance <= ALPHA / len(duels):
            outcome = weight.large if duel.gain > LARGE else weight.small
            return Check(name, outcome, _said(duel), {**_numbers(duel, len(duels)), "p": chance})
    numbers = _numbers(ordered[0], len(duels))
    if not notable:
        return Check(name, "passed", _said(ordered[0]), numbers)
    return Check(name, "passed", f"{_said(ordered[0])}, which may be chance", {**numbers, "p": _chance(ordered[0])})


def missing(name: str, what: str) -> Check:
    return Check(name, "not made", f"{what}: missing on {FEWEST_EXAMPLES} examples or more; add `diagnosis: {{}}`", {})


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def believable(evidence: Evidence) -> list[Tried]:
    """Return the attacks that were evaluated on enough examples, and on a randomised model often enough, to be compared."""
    rows = FEWEST_ROWS if evidence.randomised else 1
    return [item for item in evidence.tried if item.target == "none" and item.n_examples >= FEWEST_EXAMPLES and item.rows >= rows]


def at_one_epsilon(evidence: Evidence) -> list[list[Tried]]:
    """Return the believable attacks in groups with the same examples, batches, norm and epsilon."""
    return grouped(believable(evidence), lambda item: (item.place, item.norm, round(item.epsilon / GAP)))


def grouped(items: Iterable[Tried], key: Callable[[Tried], Hashable]) -> list[list[Tried]]:
    groups: defaultdict[Hashable, list[Tried]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return list(groups.values())


def is_thorough(item: Tried) -> bool:
    """True for an iterative white-box attack that can reach any point of its ball from its start."""
    diameter = 2 if item.random_start else 1
    reaches = item.steps * item.abs_stepsize >= diameter * item.epsilon - GAP
    return item.takes_gradients and item.attack != "fgsm" and item.steps >= FEWEST_STEPS and reaches


def against_the_strongest(references: list[Tried], challengers: list[Tried]) -> list[Duel]:
    if not references:
        return []
    strongest = min(references, key=lambda item: item.accuracy)
    return [Duel(strongest, challenger) for challenger in challengers]


def _chance(duel: Duel) -> float:
    return chance_of_gain(duel.reference.flags, duel.challenger.flags)


def _numbers(duel: Duel, comparisons: int) -> dict[str, float]:
    return {
        "reference": duel.reference.accuracy,
        "challenger": duel.challenger.accuracy,
        "gain": duel.gain,
        "examples": float(duel.reference.n_examples),
        "comparisons": float(comparisons),
    }


def _said(duel: Duel) -> str:
    one, other = duel.challenger, duel.reference
    return f"{one.title}, leaves {percent(one.accuracy)} right; {other.title}, {percent(other.accuracy)}"
