"""Made-up evidence: attacks that leave a given share of examples right, always the first ones."""

import numpy as np

from orchestrator.verdict import AttackEvidence, Gradients, ModelEvidence

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
    flags = right if isinstance(right, np.ndarray) else leaving(right, rows=rows, n=n)
    steps = steps or (1 if attack in ("fgsm", "noise") else 20)
    start = attack in ("pgd", "square", "noise", "apgd_ce", "apgd_dlr")
    fields = {
        "knowledge": "randomized",
        "norm": "linf",
        "epsilon_literal": f"{255 * epsilon:g}/255",
        "abs_stepsize": 2.5 * epsilon / steps,
        "random_start": start,
        "loss": {"square": "margin", "apgd_dlr": "dlr"}.get(attack, "ce"),
        "target": "none",
        "restarts": 1,
        "load": lambda: flags,
    }
    return AttackEvidence(
        place=place,
        attack=attack,
        epsilon=epsilon,
        steps=steps,
        n_examples=flags.shape[1],
        rows=len(flags),
        n_correct=int(flags.sum()),
        **fields | more,
    )


def evidence(
    *attacks: AttackEvidence, randomised: bool = False, zero: float | None = 0.0, nonfinite: float = 0.0, failures=()
) -> ModelEvidence:
    found = () if zero is None else (Gradients(n_examples=N, zero=zero, nonfinite=nonfinite, failures=failures),)
    return ModelEvidence(randomised=randomised, half_range=0.5, attacks=attacks, gradients=found)
