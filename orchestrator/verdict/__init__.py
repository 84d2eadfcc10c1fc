"""Verdicts on whether a model's robustness is real, as far as its measurements show. Pure functions: no SQL, no torch, no Ray."""

from orchestrator.verdict.attack_comparison import Check
from orchestrator.verdict.evidence import Evidence, Flags, Gradients, Tried
from orchestrator.verdict.judge import GRAVEST_FIRST, RULES, VERDICTS, Judgement, Verdict, judge, reasons

__all__ = [
    "GRAVEST_FIRST",
    "RULES",
    "VERDICTS",
    "Check",
    "Evidence",
    "Flags",
    "Gradients",
    "Judgement",
    "Tried",
    "Verdict",
    "judge",
    "reasons",
]
