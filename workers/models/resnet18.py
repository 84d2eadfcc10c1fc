"""ResNet-18 for small images (He et al., 2016): a 3x3 first convolution and no max-pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.components.facts import DatasetInfo
from workers.registry import model
from workers.spec.fields import Count

if TYPE_CHECKING:
    from torch import nn

_STAGES = tuple(rf"blocks\.({2 * stage}|{2 * stage + 1})\." for stage in range(4))


@model(modality="image", stages=_STAGES)
def resnet18(info: DatasetInfo, *, width: Count = 64, binary: bool = False) -> nn.Module:
    """ResNet-18; `width` is the channels of its first stage (the paper's: 64)."""
    from workers.models.architectures.residual import ResNet18

    return ResNet18(width=width, n_classes=info.n_classes, channels_in=info.shape[0], binary=binary)
