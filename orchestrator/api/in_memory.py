"""Networks that exist in this process alone, registered under a name."""

import copy

from torch import nn

from workers.components.facts import DatasetInfo, ModelFacts
from workers.registry import MODELS


def register_network(name: str, network: nn.Module, *, randomised: bool, image: bool) -> None:
    """Register copies of a network, in eval mode or not, with its weights; nothing happens where the name is known already.

    Args:
        name: under which it is known from now on.
        network: from inputs within the data's bounds to logits; not changed.
        randomised: it draws in eval mode.
        image: it takes images, not waveforms.
    """
    copied = copy.deepcopy(network).cpu()

    def create(info: DatasetInfo) -> nn.Module:  # noqa: ARG001 (a network has its classes)
        return copy.deepcopy(copied)

    if name not in MODELS:
        facts = ModelFacts("image" if image else "audio", randomised=randomised, normalised=True, initialised=True)
        MODELS.add(name, create, facts)
