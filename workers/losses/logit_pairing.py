"""Adversarial logit pairing (Kannan et al., 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import loss
from workers.spec.fields import NonNegative

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@loss(training={"adversarial_training": "pgd"}, mixed=True)
def logit_pairing(
    network: Callable[[Tensor], Tensor],
    inputs: Tensor,
    labels: Tensor,
    adversary: Callable[[Tensor, Tensor], Tensor],
    *,
    pairing: NonNegative = 0.5,
) -> Tensor:
    """The cross-entropy, half on inputs and half on attacked ones, and `pairing` times the mean squared difference of their logits.

    Source: Kannan et al., 2018, section 3 (mixed minibatches and their equation for paired logits).
    """
    from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

    attacked, clean = network(adversary(inputs, labels)), network(inputs)
    mixed = (F.cross_entropy(clean, labels) + F.cross_entropy(attacked, labels)) / 2
    return mixed + pairing * F.mse_loss(clean, attacked)
