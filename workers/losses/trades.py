"""TRADES (Zhang et al., 2019): clean cross-entropy, and how far attacks move the predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import loss
from workers.spec.fields import NonNegative

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@loss(training={"adversarial_training": "pgd", "adversarial_loss": "kl"}, mixed=True)
def trades(
    network: Callable[[Tensor], Tensor],
    inputs: Tensor,
    labels: Tensor,
    adversary: Callable[[Tensor, Tensor], Tensor],
    *,
    beta: NonNegative = 6.0,
) -> Tensor:
    """The cross-entropy on the inputs, and `beta` times the divergence KL(p(inputs) || p(attacked)), their equation 5."""
    from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

    attacked = F.log_softmax(network(adversary(inputs, labels)), dim=1)
    logits = network(inputs)
    moved = F.kl_div(attacked, F.log_softmax(logits, dim=1), reduction="batchmean", log_target=True)
    return F.cross_entropy(logits, labels) + beta * moved
