"""A small ConvNeXt (Liu et al., 2022) for small images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.components.facts import DatasetInfo
from workers.registry import model
from workers.spec.fields import Count

if TYPE_CHECKING:
    from torch import nn


@model(modality="image", initialised=True)
def convnext(info: DatasetInfo, *, width: Count = 48, depth: Count = 2) -> nn.Module:
    """torchvision's ConvNeXt in three stages of `depth`, 3 `depth` and `depth` blocks over `width` times 1, 2 and 4 channels."""
    from workers.models.architectures.torchvision_small import small_convnext

    return small_convnext(info, depth=depth, width=width)
