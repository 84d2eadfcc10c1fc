"""MART (Wang et al., 2020): adversarial training that is stricter about the examples that a net gets wrong anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import loss
from workers.spec.fields import NonNegative

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_TINY = 1e-12
"""Keeps logarithms of probabilities finite."""


@loss(training={"adversarial_training": "pgd"})
def mart(
    network: Callable[[Tensor], Tensor],
    inputs: Tensor,
    labels: Tensor,
    adversary: Callable[[Tensor, Tensor], Tensor],
    *,
    beta: NonNegative = 5.0,
) -> Tensor:
    """The boosted cross-entropy on attacked examples, and `beta` times KL(p(inputs) || p(attacked)), weighted by the inputs' 1 - p(label).

    Boosted means that the probability of the likeliest wrong class counts too (Wang et al., 2020, equations 9 to 11).
    """
    from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

    attacked, clean = network(adversary(inputs, labels)), network(inputs)
    right = F.one_hot(labels, attacked.shape[1]).bool()
    wrong = attacked.softmax(dim=1).masked_fill(right, 0.0).amax(dim=1)
    boosted = F.cross_entropy(attacked, labels) - (1 - wrong + _TINY).log().mean()
    moved = F.kl_div(attacked.log_softmax(dim=1), clean.log_softmax(dim=1), reduction="none", log_target=True).sum(dim=1)
    unsure = 1 - clean.softmax(dim=1)[right]
    return boosted + beta * (moved * unsure).mean()
