"""Derivation of a verdict from evidence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from orchestrator.statistics.verdict.attack_comparison import VerdictCheck
from orchestrator.statistics.verdict.checks import (
    check_black_box,
    check_enough,
    check_eot,
    check_epsilons,
    check_gradients,
    check_more_steps,
    check_other_loss,
    check_queries,
    check_single_step,
    check_smoothed,
    check_step_sizes,
    check_together,
    check_unbounded,
)
from orchestrator.statistics.verdict.evidence import ModelEvidence

Verdict = Literal["sound", "suspicious", "unsound"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
GRAVEST_FIRST: tuple[Verdict, ...] = ("unsound", "suspicious", "sound")
RULES = 7
"""Version of the rules. Raise it when the same evidence leads to another verdict, reason or worst case: models are judged again at the next
launch."""

_CHECKS = (
    check_gradients,
    check_unbounded,
    check_single_step,
    check_black_box,
    check_smoothed,
    check_queries,
    check_more_steps,
    check_step_sizes,
    check_other_loss,
    check_together,
    check_eot,
    check_epsilons,
    check_enough,
)


@dataclass(frozen=True)
class Judgement:
    """Verdict with all the checks that were to be made, in a fixed order."""

    verdict: Verdict
    checks: tuple[VerdictCheck, ...]


def judge(evidence: ModelEvidence) -> Judgement:
    """Return `unsound` if any check failed, `suspicious` if any is suspicious or could not be made, `sound` otherwise."""
    checks = tuple(check for check in (make(evidence) for make in _CHECKS) if check is not None)
    outcomes = {check.outcome for check in checks} - {"passed", "noted"}
    if "failed" in outcomes:
        return Judgement("unsound", checks)
    return Judgement("suspicious" if outcomes else "sound", checks)


def checks_of(stored: Iterable[Mapping[str, Any]]) -> tuple[VerdictCheck, ...]:
    """Return the checks of a stored verdict, from their fields by name."""
    return tuple(VerdictCheck(**check) for check in stored)


def reasons(checks: tuple[VerdictCheck, ...]) -> tuple[str, ...]:
    """Return the reasons why a model is not sound, the gravest first, and last what is noted of figures, of a sound one too."""
    gravest_first = ("failed", "suspicious", "not made", "noted")
    return tuple(
        f"{check.name} {check.outcome}: {check.reason}" for outcome in gravest_first for check in checks if check.outcome == outcome
    )
