"""M11 on raw waveforms (Dai et al., 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.components.facts import DatasetInfo
from workers.registry import model
from workers.spec.fields import Count

if TYPE_CHECKING:
    from torch import nn


@model(modality="audio")
def m11(info: DatasetInfo, *, width: Count = 64) -> nn.Module:
    """M11; `width` is the filters of its first convolution (as published: 64)."""
    from workers.models.architectures.raw_audio import WaveformNet

    return WaveformNet(layers=11, width=width, n_classes=info.n_classes, channels_in=info.shape[0])
