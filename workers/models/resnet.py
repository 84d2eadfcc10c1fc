"""ResNet-18, 34 and 50 of torchvision (He et al., 2016) with a stem for small images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from workers.components.facts import DatasetInfo
from workers.registry import model
from workers.spec.fields import Count, OneOf

if TYPE_CHECKING:
    from torch import nn

_Layers = Annotated[int, AfterValidator(OneOf((18, 34, 50)))]


@model(modality="image", initialised=True)
def resnet(info: DatasetInfo, *, layers: _Layers = 18, width: Count = 64) -> nn.Module:
    """torchvision's ResNet of so many `layers`, the first a 3x3 convolution without pooling; `width` is the channels of its first stage."""
    from workers.models.architectures.torchvision_small import SmallImageResNet

    return SmallImageResNet(layers=layers, width=width, n_classes=info.n_classes, channels_in=info.shape[0])
