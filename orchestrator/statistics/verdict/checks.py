"""Checks that a model has to pass. Each looks for one symptom of masked gradients, or of attacks that are too weak to show any.

Sources: Athalye, Carlini & Wagner (2018), "Obfuscated gradients give a false sense of security", sections 3.1 (one-step against
iterative, black-box against white-box, unbounded, random sampling, growing bounds) and 4 (expectation over transformation); Carlini et
al. (2019), "On evaluating adversarial robustness" (more steps must not gain); the checks of AutoAttack (Croce & Hein, 2020: zero
gradients, Square below white-box); Uesato et al. (2018), "Adversarial risk and the dangers of evaluating against weak attacks"
(gradients from noisy inputs); Pintor et al. (2022), "Indicators of attack failure" (useless gradients, another loss, incomplete
optimisation, failure of the unconstrained attack).
"""

from collections.abc import Callable, Hashable, Iterable
from itertools import product

from orchestrator.statistics.verdict.attack_comparison import (
    FEWEST_STEPS,
    MARGIN,
    SOUND_EXAMPLES,
    SOUND_QUERIES,
    AttackPair,
    CheckOutcome,
    GainOutcomes,
    VerdictCheck,
    against_the_strongest,
    all_together,
    at_one_epsilon,
    check_gains,
    check_overstated,
    comparable,
    grouped,
    is_thorough,
    not_made,
    percent,
)
from orchestrator.statistics.verdict.evidence import EPSILON_TOLERANCE, AttackEvidence, ModelEvidence

_ITERATIVE = f"an iterative attack of {FEWEST_STEPS} steps or more"
_PairsIn = Callable[[list[AttackEvidence]], Iterable[AttackPair]]
_MASKED = GainOutcomes(small="failed", large="failed")
_UNFINISHED = GainOutcomes(small="suspicious", large="failed")
_UNSETTLED = GainOutcomes(small="suspicious", large="suspicious")


def check_gradients(evidence: ModelEvidence) -> VerdictCheck:
    """Check for gradients that are exactly zero or not finite: such examples count as robust though no gradient attack can change them."""
    name, found = "gradients", evidence.gradients
    if not found:
        return not_made(name, "shares of zero gradients")
    zero, nonfinite = max(item.zero for item in found), max(item.nonfinite for item in found)
    numbers = {"zero": zero, "nonfinite": nonfinite, "examples": float(min(item.n_examples for item in found))}
    failures = [failure for item in found for failure in item.failures]
    if failures:
        return VerdictCheck(name, "failed", f"an attack stopped with an error: {failures[0]}", numbers)
    said = f"{percent(zero)} of the examples have a gradient of zero, {percent(nonfinite)} one that is not finite"
    failed = nonfinite > 0 or zero > MARGIN
    return VerdictCheck(name, "failed" if failed else "suspicious" if zero > 0 else "passed", said, numbers)


def check_single_step(evidence: ModelEvidence) -> VerdictCheck:
    """Check whether one step does better than many: the loss is then shattered, or flat where iterative attacks look."""

    def pairs_in(group: list[AttackEvidence]) -> Iterable[AttackPair]:
        return against_the_strongest(_thorough(group), [item for item in group if item.takes_gradients and item.one_step])

    return _worst("single_step", evidence, pairs_in, _MASKED, needed=f"fgsm and {_ITERATIVE}")


def check_black_box(evidence: ModelEvidence) -> VerdictCheck:
    """Check whether an attacker without gradients does better than one with them: the gradients are then misleading."""

    def pairs_in(group: list[AttackEvidence]) -> Iterable[AttackPair]:
        return against_the_strongest(_thorough(group), [item for item in group if item.is_black_box])

    return _worst("black_box", evidence, pairs_in, _MASKED, needed=f"square, noise or transfer, and {_ITERATIVE}")


def check_smoothed(evidence: ModelEvidence) -> VerdictCheck:
    """Check whether gradients averaged over noisy inputs do better than exact ones: the loss is then shattered, in steps or ripples."""

    def pairs_in(group: list[AttackEvidence]) -> Iterable[AttackPair]:
        return against_the_strongest(_thorough(group), [item for item in group if item.takes_gradients and item.smoothed])

    return _worst("smoothed", evidence, pairs_in, _UNFINISHED, needed=f"smoothed_pgd and {_ITERATIVE}")


def check_queries(evidence: ModelEvidence) -> VerdictCheck | None:
    """Check whether Square still gains by more queries while it leaves more right than attacks by gradients do: it may yet overtake them.
    None where there are no two numbers of queries, and where attacks by gradients leave next to nothing."""
    pairs = []
    for group in at_one_epsilon(evidence):
        searches = sorted((item for item in group if item.queries), key=lambda item: item.queries)
        if len(searches) > 1 and min((item.accuracy for item in _thorough(group)), default=0.0) > MARGIN:
            pairs.append(AttackPair(searches[-2], searches[-1]))
    return check_gains("queries", pairs, _UNSETTLED) if pairs else None


def check_enough(evidence: ModelEvidence) -> VerdictCheck:
    """Check whether enough was looked at to call a model sound: so many queries to it, on so many examples."""
    name = "enough"
    searched = [item for item in comparable(evidence) if item.queries]
    best = max(searched, key=lambda item: (item.n_examples >= SOUND_EXAMPLES, item.queries, item.n_examples), default=None)
    examples, queries = (best.n_examples, best.queries) if best else (0, 0)
    numbers = {"examples": float(examples), "queries": float(queries)}
    said = f"{queries:,} queries on {examples:,} examples"
    if examples >= SOUND_EXAMPLES and queries >= SOUND_QUERIES:
        return VerdictCheck(name, "passed", said, numbers)
    wanted = f"sound takes {SOUND_QUERIES:,} on {SOUND_EXAMPLES:,} or more: `diagnosis: {{}}`"
    return VerdictCheck(name, "not made", f"too little looked at: {said}; {wanted}", numbers)


def check_more_steps(evidence: ModelEvidence) -> VerdictCheck:
    """Check whether the longest attack still gains on the next shorter one: the figures are then too high."""

    def pairs_in(group: list[AttackEvidence]) -> Iterable[AttackPair]:
        for alike in grouped(_thorough(group), lambda item: (item.attack, item.knowledge, item.loss, *_circumstances(item))):
            by_effort = sorted(alike, key=lambda item: item.effort)
            shorter = [item for item in by_effort if item.effort < by_effort[-1].effort]
            yield from (AttackPair(shorter[-1], item) for item in by_effort if shorter and item.effort == by_effort[-1].effort)

    needed = f"one attack of {FEWEST_STEPS} steps or more, and with more of them or restarts"
    return _worst("more_steps", evidence, pairs_in, _UNFINISHED, needed=needed)


def check_step_sizes(evidence: ModelEvidence) -> VerdictCheck | None:
    """Check whether an attack that chooses its own step sizes does better than those with a fixed one: the loss is then hard to climb, and
    the figures are too high. None where there are no two such attacks."""
    pairs = []
    for group in at_one_epsilon(evidence):
        fixed = [item for item in _thorough(group) if "abs_stepsize" in item.settings]
        pairs += against_the_strongest(fixed, [item for item in _thorough(group) if "abs_stepsize" not in item.settings])
    return check_gains("step_sizes", pairs, _UNFINISHED) if pairs else None


def check_other_loss(evidence: ModelEvidence) -> VerdictCheck:
    """Check whether a loss of the logits' differences finds what the cross-entropy does not: the latter is then saturated."""

    def pairs_in(group: list[AttackEvidence]) -> Iterable[AttackPair]:
        for alike in grouped(_thorough(group), lambda item: (_family(item), item.knowledge, item.effort, *_circumstances(item))):
            plain = [item for item in alike if item.loss == "ce"]
            yield from (AttackPair(*pair) for pair in product(plain, [item for item in alike if item.loss != "ce"]))

    return _worst("other_loss", evidence, pairs_in, _UNFINISHED, needed="one attack on ce and on margin or dlr")


def check_together(evidence: ModelEvidence) -> VerdictCheck | None:
    """Check whether a diagnosis's attacks together do better than its strongest PGD, though none may do so alone: gradients that lead
    astray on some examples hide most of these from every single attack. Some more are found on any net that PGD does not settle, which is
    noted. None for a randomised model, on which one of many attacks has luck with every example, and where no diagnosis has a PGD."""
    pairs = []
    for group in [] if evidence.randomised else at_one_epsilon(evidence):
        probes = [item for item in group if item.probe]
        fixed = [item for item in _thorough(probes) if "abs_stepsize" in item.settings]
        pairs += against_the_strongest(fixed, [all_together(probes)] if len(probes) > 1 else [])
    return check_overstated("together", pairs) if pairs else None


def check_eot(evidence: ModelEvidence) -> VerdictCheck | None:
    """Check whether an attacker who averages over draws, or knows the full weights, is stronger than one who does neither: the
    `randomized` figures of a randomised model are then misleading, and by a large gain worthless. None for a deterministic model."""
    if not evidence.randomised:
        return None

    def pairs_in(group: list[AttackEvidence]) -> Iterable[AttackPair]:
        informed = ("eot", "omniscient")
        for alike in grouped(group, lambda item: (item.attack, item.loss, item.effort, item.other_settings("steps"), item.sign_gradient)):
            plain = [item for item in alike if item.knowledge == "randomized"]
            yield from (AttackPair(*pair) for pair in product(plain, [item for item in alike if item.knowledge in informed]))

    return _worst("eot", evidence, pairs_in, _UNFINISHED, needed="one attack with knowledge randomized and eot")


def check_unbounded(evidence: ModelEvidence) -> VerdictCheck:
    """Check whether an attack that may erase the input leaves no more right than guessing does: more fails, and more than a margin is in
    doubt."""
    name, half_range = "unbounded", evidence.half_range
    if half_range is None or evidence.n_classes is None:
        return VerdictCheck(name, "not made", "the input range and the number of classes of the data set are not known", {})
    able = [item for item in _thorough(comparable(evidence)) if item.norm == "linf" and item.epsilon >= half_range - EPSILON_TOLERANCE]
    if not able:
        return not_made(name, f"{_ITERATIVE} that may change values by half of the input range")
    strongest = min(able, key=lambda item: item.accuracy)
    left = strongest.accuracy
    numbers = {"accuracy": left, "examples": float(strongest.n_examples)}
    outcome: CheckOutcome = "failed" if left > 1 / evidence.n_classes else "suspicious" if left > MARGIN else "passed"
    return VerdictCheck(name, outcome, f"{strongest.title}, leaves {percent(left)} right", numbers)


def check_epsilons(evidence: ModelEvidence) -> VerdictCheck | None:
    """Check whether a larger epsilon leaves more right than a smaller one: the attack then fails to optimise. None where no attack has two
    epsilons."""
    pairs = []
    for alike in grouped(_thorough(comparable(evidence)), _all_but_epsilon):
        for larger in alike:
            smaller = [item for item in alike if item.epsilon < larger.epsilon - EPSILON_TOLERANCE and item.effort <= larger.effort]
            pairs += against_the_strongest([larger], sorted(smaller, key=lambda item: item.accuracy)[:1])
    return check_gains("epsilons", pairs, _MASKED) if pairs else None


def _worst(name: str, evidence: ModelEvidence, pairs_in: _PairsIn, weight: GainOutcomes, *, needed: str) -> VerdictCheck:
    """Return the check by all pairs of attacks on the same examples at the same epsilon."""
    pairs = [pair for group in at_one_epsilon(evidence) for pair in pairs_in(group)]
    return check_gains(name, pairs, weight) if pairs else not_made(name, needed)


def _thorough(items: list[AttackEvidence]) -> list[AttackEvidence]:
    return [item for item in items if is_thorough(item)]


def _family(item: AttackEvidence) -> str:
    """The attack's name without its loss: Auto-PGD's two losses are two names of one attack."""
    return item.attack.removesuffix(f"_{item.loss}")


def _circumstances(item: AttackEvidence) -> tuple[Hashable, ...]:
    return item.other_settings("steps", "abs_stepsize", "loss"), item.eot_samples, item.sign_gradient


def _all_but_epsilon(item: AttackEvidence) -> Hashable:
    return item.place, item.norm, item.attack, item.knowledge, item.loss, item.restarts, *_circumstances(item)
