"""Wide residual networks, WRN-depth-widen_factor (Zagoruyko & Komodakis, 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from workers.components.facts import DatasetInfo
from workers.registry import model
from workers.spec.fields import Count

if TYPE_CHECKING:
    from torch import nn

_STEM, _STAGES, _OUTSIDE, _A_BLOCK = 16, 3, 4, 2


def _of_whole_blocks(depth: int) -> int:
    if depth <= _OUTSIDE or (depth - _OUTSIDE) % (_STAGES * _A_BLOCK):
        raise ValueError("must be 6 n + 4 layers: 10, 16, 22, 28, 34, ...")
    return depth


BlockDepth = Annotated[int, AfterValidator(_of_whole_blocks)]


@model(modality="image")
def wide_resnet(info: DatasetInfo, *, depth: BlockDepth = 28, widen_factor: Count = 10) -> nn.Module:
    """WRN-28-10 and its like: `depth` layers, stages of 16, 32 and 64 times `widen_factor` channels."""
    from workers.models.architectures.residual import PreactivationNet

    stages = [_STEM * widen_factor * 2**stage for stage in range(_STAGES)]
    blocks = (depth - _OUTSIDE) // (_STAGES * _A_BLOCK)
    return PreactivationNet(stem=_STEM, stages=stages, blocks=blocks, n_classes=info.n_classes, channels_in=info.shape[0])
