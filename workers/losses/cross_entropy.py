"""The cross-entropy, with label smoothing (Szegedy et al., 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import loss
from workers.spec.fields import ShareBelowOne

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@loss(mixed=True)
def cross_entropy(
    network: Callable[[Tensor], Tensor],
    inputs: Tensor,
    labels: Tensor,
    adversary: Callable[[Tensor, Tensor], Tensor],
    *,
    label_smoothing: ShareBelowOne = 0.0,
) -> Tensor:
    """The mean cross-entropy on the examples that the adversary makes, `label_smoothing` being spread evenly over the classes."""
    from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

    return F.cross_entropy(network(adversary(inputs, labels)), labels, label_smoothing=label_smoothing)
