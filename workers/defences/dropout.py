"""Defensive dropout (Wang et al., 2018): dropout that stays active at inference."""

from typing import Any

from torch import Tensor, nn

from workers.defences.base import Defence
from workers.layers import TuckerLayer

_LINEAR_ORDER = 2


class DefensiveDropout(Defence):
    """Dropout before every linear layer: each feature is dropped with probability `dropout`, in training and test alike; kept ones are
    divided by 1 - `dropout`, so that the expected features are the full ones.

    Trained in, from the first epoch on. The paper chooses training and test rate separately; here they are one setting.
    Gradients are exact: an attacker differentiates under a fresh draw.
    """

    randomised = True

    def install(self, body: nn.Module) -> None:
        for module in body.modules():
            if isinstance(module, nn.Linear) or (isinstance(module, TuckerLayer) and len(module.kernel.shape) == _LINEAR_ORDER):
                module.register_forward_pre_hook(self._hook)

    # A method, not a closure: a deep copy of the network gets the copied defence's.
    def _hook(self, module: nn.Module, inputs: tuple[Any, ...]) -> Tensor:
        return self.features(inputs[0], owner=module)

    def features(self, features: Tensor, *, owner: object = None) -> Tensor:
        """Return the features (batch, ...) that `owner`, a linear layer, receives, under a fresh draw."""
        if not self.live:
            return features
        kept = self.uniform(features.shape, features.device, owner=owner) >= self.settings.dropout
        return features * (kept.to(features.dtype) / (1 - self.settings.dropout))
