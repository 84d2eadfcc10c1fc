"""VGG for small images (Simonyan & Zisserman, 2015), with batch norm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from workers.components.facts import DatasetInfo
from workers.registry import model
from workers.spec.fields import Count, OneOf

if TYPE_CHECKING:
    from torch import nn

_Layers = Annotated[int, AfterValidator(OneOf((11, 13, 16, 19)))]


@model(modality="image")
def vgg(info: DatasetInfo, *, layers: _Layers = 16, width: Count = 64) -> nn.Module:
    """VGG of so many `layers` as published, for images of 32 pixels or more; `width` is the channels of its first stage (64)."""
    from workers.models.architectures.small_vgg import Vgg

    return Vgg(depth=layers, width=width, n_classes=info.n_classes, channels_in=info.shape[0])
