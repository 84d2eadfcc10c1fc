"""`torchvision:NAME`: torchvision's networks for classification, with random weights of their own."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from workers.components.facts import DatasetInfo, ModelFacts
from workers.components.references import Referenced
from workers.models.schemes._sources import library_network, registered

if TYPE_CHECKING:
    from torch import nn


def names() -> tuple[str, ...]:
    """The networks that torchvision registers for classification."""
    return registered("torchvision", "@register_model")


def resolve(name: str) -> Referenced[ModelFacts]:
    """The network of that name.

    Raises:
        ValueError: torchvision has none.
    """
    return library_network("torchvision", name, names(), _made)


def _made(name: str, info: DatasetInfo) -> nn.Module:
    import torchvision

    builder = torchvision.models.get_model_builder(name)
    network: nn.Module = builder(weights=None, num_classes=info.n_classes, **_further(name, info))
    return network if info.shape[0] == _CHANNELS else _with_channels(network, info.shape[0])


_CHANNELS = 3
_SIZED = {"vit_": "image_size", "maxvit_": "input_size"}
"""The arguments of networks that are made for one image size, by the beginnings of their names."""


def _further(name: str, info: DatasetInfo) -> dict[str, Any]:
    """The arguments that some networks need: the image size, and only one output where there would be auxiliary ones."""
    height, width = info.shape[1:]
    sized = next((argument for begin, argument in _SIZED.items() if name.startswith(begin)), None)
    if sized == "image_size":
        return {sized: height}
    if sized == "input_size":
        return {sized: (height, width)}
    return {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}


def _with_channels(network: nn.Module, channels: int) -> nn.Module:
    """The network with a first convolution, which takes the input, for another number of channels."""
    from torch import nn

    name, first = next((name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d))
    taken = [parameter for parameter in inspect.signature(nn.Conv2d).parameters if parameter not in ("in_channels", "device", "dtype")]
    same = {argument: getattr(first, argument) for argument in taken}
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Conv2d(channels, **{**same, "bias": first.bias is not None}))
    return network
