"""A 2-d convolutional net on log-mel energies: the paper's ablation of the raw waveform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.components.facts import DatasetInfo
from workers.registry import model
from workers.spec.fields import Count

if TYPE_CHECKING:
    from torch import nn

_STAGES = tuple(rf"features\.({place}|{place + 1})$" for place in (5, 9, 13, 17))


@model(modality="audio", stages=_STAGES)
def logmel(info: DatasetInfo, *, width: Count = 16, binary: bool = False) -> nn.Module:
    """A net of about SoundNet5's size; `width` is the filters of its first convolution."""
    from workers.models.architectures.logmel_front_end import LogMel

    return LogMel(width=width, n_classes=info.n_classes, channels_in=info.shape[0], binary=binary)
