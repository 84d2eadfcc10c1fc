"""Made-up evidence: attacks that leave a given share of examples right, always the first ones."""

import numpy as np

from orchestrator.statistics.verdict import AttackEvidence, Gradients, ModelEvidence
from workers.registry import ATTACKS

N = 100


def leaving(share: float, *, rows: int = 1, n: int = N) -> np.ndarray:
    """Flags of which the first `share` are right in every row: attacks are then as alike as their accuracies allow."""
    return np.tile(np.arange(n) < round(share * n), (rows, 1))


def attack_evidence(
    attack: str,
    right: float | np.ndarray,
    *,
    place: object = "here",
    epsilon: float = 8 / 255,
    steps: int | None = None,
    rows: int = 1,
    n: int = N,
    **more: object,
) -> AttackEvidence:
    """An attack that is registered, with its facts, unless `more` says otherwise."""
    flags = right if isinstance(right, np.ndarray) else leaving(right, rows=rows, n=n)
    facts = ATTACKS[attack].facts
    steps = steps or (1 if facts.one_step else 20)
    loss = more.pop("loss", facts.loss)
    choices = {
        "steps": steps,
        "abs_stepsize": more.pop("abs_stepsize", 2.5 * epsilon / steps),
        "loss": loss,
        "momentum": 1.0,
        "samples": 10,
        "sigma": 0.5,
    }
    fields = {
        "knowledge": "randomized",
        "norm": "linf",
        "epsilon_literal": f"{255 * epsilon:g}/255",
        "settings": {name: value for name, value in choices.items() if name in ATTACKS[attack].settings.model_fields},
        "loss": loss,
        "random_start": facts.random_start,
        "gradients": facts.takes_gradients,
        "one_step": facts.one_step,
        "target": "none",
        "restarts": 1,
        "load": lambda: [flags],
    }
    return AttackEvidence(
        place=place,
        attack=attack,
        epsilon=epsilon,
        n_examples=flags.shape[1],
        rows=len(flags),
        n_correct=int(flags.sum()),
        **fields | more,
    )


def evidence(
    *attacks: AttackEvidence,
    randomised: bool = False,
    zero: float | None = 0.0,
    nonfinite: float = 0.0,
    failures=(),
    half_range: float | None = 0.5,
    n_classes: int | None = 10,
) -> ModelEvidence:
    found = () if zero is None else (Gradients(n_examples=N, zero=zero, nonfinite=nonfinite, failures=failures),)
    return ModelEvidence(randomised=randomised, half_range=half_range, n_classes=n_classes, attacks=attacks, gradients=found)
