"""SoundNet5 on raw waveforms (defensive tensorization; after Aytar et al., 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.components.facts import DatasetInfo
from workers.registry import model
from workers.spec.fields import Count

if TYPE_CHECKING:
    from torch import nn

_STAGES = tuple(rf"features\.({place}|{place + 1})$" for place in (4, 8, 12, 16))


@model(modality="audio", stages=_STAGES)
def soundnet5(info: DatasetInfo, *, width: Count = 16, binary: bool = False) -> nn.Module:
    """SoundNet5; `width` is the filters of its first convolution (the paper's: 16)."""
    from workers.models.architectures.raw_audio import SoundNet5

    return SoundNet5(width=width, n_classes=info.n_classes, channels_in=info.shape[0], binary=binary)
