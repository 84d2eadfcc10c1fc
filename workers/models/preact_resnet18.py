"""Pre-activation ResNet-18 for small images (He et al., 2016b)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.components.facts import DatasetInfo
from workers.registry import model
from workers.spec.fields import Count

if TYPE_CHECKING:
    from torch import nn


@model(modality="image")
def preact_resnet18(info: DatasetInfo, *, width: Count = 64) -> nn.Module:
    """ResNet-18 with batch norm and ReLU before each convolution; `width` is the channels of its first stage (as published: 64)."""
    from workers.models.architectures.residual import PreactivationNet

    stages = [width * 2**stage for stage in range(4)]
    return PreactivationNet(stem=width, stages=stages, blocks=2, n_classes=info.n_classes, channels_in=info.shape[0])
