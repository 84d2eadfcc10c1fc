"""`timm:NAME`: the networks of timm, where that package is installed, with random weights of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.components.facts import DatasetInfo, ModelFacts
from workers.components.references import Referenced
from workers.models.schemes._sources import folder_of, library_network, registered

if TYPE_CHECKING:
    from torch import nn


def names() -> tuple[str, ...]:
    """The networks that timm registers; none where it is not installed."""
    return registered("timm", "@register_model")


def resolve(name: str) -> Referenced[ModelFacts]:
    """The network of that name.

    Raises:
        ValueError: timm has none, or is not installed.
    """
    if folder_of("timm") is None:
        raise ValueError("timm is not installed; pip install 'robustsweep[timm]'")
    if name not in names() and "." in name:
        raise ValueError(f"timm has no network {name}; pretrained weights are a file, in weights: {name.partition('.')[0]}")
    return library_network("timm", name, names(), _made)


def _made(name: str, info: DatasetInfo) -> nn.Module:
    import timm

    usual = timm.get_pretrained_cfg(name)
    sized: dict[str, Any] = {"img_size": tuple(info.shape[1:])} if usual is not None and usual.fixed_input_size else {}
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=info.n_classes, in_chans=info.shape[0], **sized)
    return network
