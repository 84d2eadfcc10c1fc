"""A small vision transformer (Dosovitskiy et al., 2021) for small images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.components.facts import DatasetInfo
from workers.registry import model
from workers.spec.fields import Count

if TYPE_CHECKING:
    from torch import nn


@model(modality="image", initialised=True)
def vit(info: DatasetInfo, *, patch: Count = 4, depth: Count = 6, width: Count = 192, heads: Count = 3) -> nn.Module:
    """torchvision's ViT with patches of `patch` pixels, `depth` blocks and `heads` heads over `width` features."""
    from workers.models.architectures.torchvision_small import small_vit

    return small_vit(info, patch=patch, depth=depth, width=width, heads=heads)
