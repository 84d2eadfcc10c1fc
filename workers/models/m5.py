"""M5 on raw waveforms (Dai et al., 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.components.facts import DatasetInfo
from workers.registry import model
from workers.spec.fields import Count

if TYPE_CHECKING:
    from torch import nn


@model(modality="audio")
def m5(info: DatasetInfo, *, width: Count = 128) -> nn.Module:
    """M5; `width` is the filters of its first convolution (as published: 128)."""
    from workers.models.architectures.raw_audio import WaveformNet

    return WaveformNet(layers=5, width=width, n_classes=info.n_classes, channels_in=info.shape[0])
