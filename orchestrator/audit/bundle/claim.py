"""The accuracies that outcomes of attacks amount to: what a bundle claims, and what its verification finds in its flags."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from orchestrator.audit.bundle.contents import BundledAttack
from orchestrator.statistics.intervals import ConfidenceInterval, accuracy_interval
from orchestrator.statistics.shared_luck import SharedDraws
from orchestrator.statistics.worst_case import Flags, Scores, ordered_scores, worst_case
from workers.artifacts.outcomes import FlagsOutcome
from workers.errors import UserError
from workers.spec.fields import Knowledge


def clean_interval(clean: Sequence[FlagsOutcome], *, batch: int) -> ConfidenceInterval:
    """Return the clean accuracy of some repeats with its 95 % interval."""
    return accuracy_interval(np.stack([outcome.correct() for outcome in clean]), SharedDraws(batch=batch))


def robust_interval(attacks: Iterable[BundledAttack], *, batch: int, randomised: bool) -> ConfidenceInterval:
    """Return the accuracy under the most harmful attack on each example, with its 95 % interval: as the results' worst case over attackers
    of any knowledge.

    Raises:
        UserError: a randomised network was evaluated too rarely.
    """
    groups: defaultdict[tuple[Knowledge, Hashable], list[Flags]] = defaultdict(list)
    for attack in attacks:
        alike = attack.spec.model_copy(update={"repeat": 0}).model_dump_json()
        groups[attack.spec.knowledge, alike].append(attack.outcome.correct())
    flags: defaultdict[Knowledge, list[Flags]] = defaultdict(list)
    for (knowledge, _), repeats in groups.items():
        flags[knowledge].append(np.stack(repeats))
    scores = worst_case([found for of_knowledge in flags.values() for found in of_knowledge], randomised=randomised)
    if scores is None:
        raise UserError("too few draws to choose the worst attack of each example: 1; at least 2 (evaluation.draws)")
    if randomised and len(flags) > 1:
        scores = _not_above_parts(scores, flags)
    return accuracy_interval(scores, SharedDraws(batch=batch, crafted=True))


def _not_above_parts(whole: Scores, flags: dict[Knowledge, list[Flags]]) -> Scores:
    parts = {word: (scores, len(of)) for word, of in flags.items() if (scores := worst_case(of, randomised=True)) is not None}
    return ordered_scores(whole, {str(word): part for word, part in parts.items()})[0]
