"""VGG for small images (Simonyan & Zisserman, 2015), with batch norm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from workers.components.facts import DatasetInfo
from workers.registry import model
from workers.spec.fields import Count

if TYPE_CHECKING:
    from torch import nn

_DEPTHS = (11, 13, 16, 19)


def _is_published(layers: int) -> int:
    if layers not in _DEPTHS:
        raise ValueError(f"must be one of {', '.join(map(str, _DEPTHS))}")
    return layers


_Layers = Annotated[int, AfterValidator(_is_published)]


@model(modality="image")
def vgg(info: DatasetInfo, *, layers: _Layers = 16, width: Count = 64) -> nn.Module:
    """VGG of so many `layers` as published, for images of 32 pixels or more; `width` is the channels of its first stage (64)."""
    from workers.models.architectures.small_vgg import Vgg

    return Vgg(depth=layers, width=width, n_classes=info.n_classes, channels_in=info.shape[0])
