"""Verdicts on whether a model's robustness is real, as far as its measurements show. Pure functions: no SQL, no torch, no Ray."""

from orchestrator.statistics.verdict.attack_comparison import SOUND_EXAMPLES, VerdictCheck
from orchestrator.statistics.verdict.evidence import AttackEvidence, Gradients, ModelEvidence, Repeats
from orchestrator.statistics.verdict.judge import GRAVEST_FIRST, RULES, VERDICTS, Judgement, Verdict, checks_of, judge, reasons

__all__ = [
    "GRAVEST_FIRST",
    "RULES",
    "SOUND_EXAMPLES",
    "VERDICTS",
    "AttackEvidence",
    "Gradients",
    "Judgement",
    "ModelEvidence",
    "Repeats",
    "Verdict",
    "VerdictCheck",
    "checks_of",
    "judge",
    "reasons",
]
