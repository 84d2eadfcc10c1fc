"""Defensive dropout (Wang et al., 2018): dropout that stays active at inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.defences.base import Defence
from workers.errors import UserError
from workers.registry import defence
from workers.spec.fields import OpenShare

if TYPE_CHECKING:
    from torch import Tensor, nn

_LINEAR_ORDER = 2


@defence(randomised=True, around=False)
class DefensiveDropout(Defence):
    """Before every linear layer each feature is DROPPED with probability `dropout`, in training and test alike; kept ones are divided
    by 1 - `dropout`, so that the expected features are the full ones.

    Trained in, from the first epoch on. The paper chooses training and test rate separately; here they are one setting.
    Gradients are exact: an attacker differentiates under a fresh draw.
    """

    def __init__(self, *, dropout: OpenShare = 0.3) -> None:
        self._dropout = dropout

    def install(self, body: nn.Module) -> None:
        """Register hooks on the linear layers.

        Raises:
            UserError: there are none.
        """
        from torch import nn

        from workers.layers import LatentLayer

        linear = [
            module
            for module in body.modules()
            if isinstance(module, nn.Linear) or (isinstance(module, LatentLayer) and len(module.kernel.shape) == _LINEAR_ORDER)
        ]
        if not linear:
            raise UserError(f"defence {self.name}: acts on linear layers, and {type(body).__name__} has none")
        for module in linear:
            module.register_forward_pre_hook(self._hook)

    # A method, not a closure: a deep copy of the network gets the copied defence's.
    def _hook(self, module: nn.Module, inputs: tuple[Any, ...]) -> Tensor:
        return self.features(inputs[0], owner=module)

    def features(self, features: Tensor, *, owner: object = None) -> Tensor:
        """Return the features (batch, ...) that `owner`, a linear layer, receives, under a fresh draw."""
        if not self.live:
            return features
        kept = self.uniform(features.shape, features.device, owner=owner) >= self._dropout
        return features * (kept.to(features.dtype) / (1 - self._dropout))
