"""Pairwise comparison of attacks on the same examples: the rule by which one counts as stronger than another."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from orchestrator.statistics.verdict.evidence import EPSILON_TOLERANCE, AttackEvidence, ModelEvidence
from orchestrator.statistics.verdict.paired import chance_of_gain
from orchestrator.statistics.worst_case import survivors

CheckOutcome = Literal["passed", "noted", "suspicious", "failed", "not made"]
"""`noted` is no doubt of the model, but of a figure: it is said next to the verdict."""
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
SOUND_EXAMPLES, SOUND_QUERIES = 100, 1000
"""Fewest examples, and queries to the net for each, on which a model can be called sound: a net whose loss is a smooth staircase withstands
PGD and a few hundred queries of Square, and hardly any example is left after some thousand."""
FEWEST_STEPS = 10
"""Fewest steps of an iterative attack that others are compared with: the paper's rule gives two at epsilon 2/255."""


@dataclass(frozen=True)
class VerdictCheck:
    """Result of one check; `reason` is one line, `numbers` are the figures it is based on (accuracies and gains are shares in [0, 1])."""

    name: str
    outcome: CheckOutcome
    reason: str
    numbers: dict[str, float]


@dataclass(frozen=True)
class AttackPair:
    """Two attacks to compare: the challenger should not be stronger than the reference."""

    reference: AttackEvidence
    challenger: AttackEvidence

    @property
    def gain(self) -> float:
        """Accuracy under the reference minus that under the challenger, as a share of the evaluated examples."""
        return self.reference.accuracy - self.challenger.accuracy


@dataclass(frozen=True)
class GainOutcomes:
    """Outcomes of a check with a gain beyond chance: `small` for one above MARGIN, `large` for one above LARGE."""

    small: CheckOutcome
    large: CheckOutcome


def check_gains(name: str, pairs: list[AttackPair], weight: GainOutcomes) -> VerdictCheck:
    """Return the check by the largest gain that counts; flags are loaded only where one is above MARGIN."""
    ordered = sorted(pairs, key=lambda pair: -pair.gain)
    notable = [pair for pair in ordered if pair.gain > MARGIN]
    for pair in notable:
        chance = _chance(pair)
        if chance <= ALPHA / len(pairs):
            outcome = weight.large if pair.gain > LARGE else weight.small
            return VerdictCheck(name, outcome, _said(pair), {**_numbers(pair, len(pairs)), "p": chance})
    numbers = _numbers(ordered[0], len(pairs))
    if not notable:
        return VerdictCheck(name, "passed", _said(ordered[0]), numbers)
    return VerdictCheck(name, "passed", f"{_said(ordered[0])}, which may be chance", {**numbers, "p": _chance(ordered[0])})


def check_overstated(name: str, pairs: list[AttackPair]) -> VerdictCheck:
    """Return the check by the pair with the largest gain: noted above MARGIN, and in doubt where, beyond chance, the challenger fools more
    than half of what the reference leaves right."""
    pair = max(pairs, key=lambda pair: pair.gain)
    numbers = _numbers(pair, len(pairs))
    if pair.gain <= MARGIN:
        return VerdictCheck(name, "passed", _said(pair), numbers)
    chance = _chance(pair)
    doubtful = chance <= ALPHA / len(pairs) and pair.gain > pair.reference.accuracy / 2
    said = f"{pair.reference.attack} alone overstates what is left: {_said(pair)}"
    return VerdictCheck(name, "suspicious" if doubtful else "noted", said, {**numbers, "p": chance})


def not_made(name: str, what: str) -> VerdictCheck:
    return VerdictCheck(
        name, "not made", f"{what}, on {FEWEST_EXAMPLES} examples or more: missing; a `diagnosis: {{}}` of so many makes it", {}
    )


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def comparable(evidence: ModelEvidence) -> list[AttackEvidence]:
    """Return the attacks that were evaluated on enough examples, and on a randomised model often enough, to be compared."""
    rows = FEWEST_ROWS if evidence.randomised else 1
    return [item for item in evidence.attacks if item.target == "none" and item.n_examples >= FEWEST_EXAMPLES and item.rows >= rows]


def at_one_epsilon(evidence: ModelEvidence) -> list[list[AttackEvidence]]:
    """Return the believable attacks in groups with the same examples, batches, norm and epsilon."""
    return grouped(comparable(evidence), lambda item: (item.place, item.norm, round(item.epsilon / EPSILON_TOLERANCE)))


def grouped(items: Iterable[AttackEvidence], key: Callable[[AttackEvidence], Hashable]) -> list[list[AttackEvidence]]:
    groups: defaultdict[Hashable, list[AttackEvidence]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return list(groups.values())


def is_thorough(item: AttackEvidence) -> bool:
    """Tell if it is an iterative white-box attack, on the loss as it is, that can get to any point of its ball from where it starts."""
    return item.takes_gradients and not (item.one_step or item.smoothed) and item.steps >= FEWEST_STEPS and item.reaches_all


def against_the_strongest(references: list[AttackEvidence], challengers: list[AttackEvidence]) -> list[AttackPair]:
    if not references:
        return []
    strongest = min(references, key=lambda item: item.accuracy)
    return [AttackPair(strongest, challenger) for challenger in challengers]


def all_together(items: list[AttackEvidence]) -> AttackEvidence:
    """Return what attacks on the same examples of a deterministic model leave right together, as one attack."""
    left = survivors(flags for item in items for flags in item.flags)[None]
    return replace(items[0], attack="all together", settings={}, one_step=None, rows=1, n_correct=int(left.sum()), load=lambda: [left])


def _chance(pair: AttackPair) -> float:
    return chance_of_gain(pair.reference.flags, pair.challenger.flags, batch=pair.reference.batch_size)


def _numbers(pair: AttackPair, comparisons: int) -> dict[str, float]:
    return {
        "reference": pair.reference.accuracy,
        "challenger": pair.challenger.accuracy,
        "gain": pair.gain,
        "examples": float(pair.reference.n_examples),
        "comparisons": float(comparisons),
    }


def _said(pair: AttackPair) -> str:
    one, other = pair.challenger, pair.reference
    return f"{one.title}, leaves {percent(one.accuracy)} right; {other.title}, {percent(other.accuracy)}"
