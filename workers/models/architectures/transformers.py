"""torchvision's ViT and ConvNeXt at the size of small images: their first layer takes patches of a few pixels, of any channels."""

from torch import nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.vision_transformer import VisionTransformer

from workers.errors import UserError
from workers.facts import DatasetInfo

_WIDER = 4
"""Features inside a ViT's block over those between blocks, as published."""


def small_vit(info: DatasetInfo, *, patch: int, depth: int, width: int, heads: int) -> nn.Module:
    """Return a ViT from square images to logits (batch, n_classes).

    Raises:
        UserError: the patches do not tile the images, or the heads do not divide the features.
    """
    channels, height, side = info.shape
    if height != side or side % patch:
        raise UserError(f"patch={patch}: must divide the side of square images, and they are {height}x{side}")
    if width % heads:
        raise UserError(f"heads={heads}: must divide width={width}")
    net: nn.Module = VisionTransformer(side, patch, depth, heads, width, _WIDER * width, num_classes=info.n_classes)
    net.conv_proj = nn.Conv2d(channels, width, patch, patch)
    return net


def small_convnext(info: DatasetInfo, *, depth: int, width: int) -> nn.Module:
    """Return a ConvNeXt from images of 8 pixels or more a side to logits (batch, n_classes); its stem halves the sides."""
    stages = [
        CNBlockConfig(width, 2 * width, depth),
        CNBlockConfig(2 * width, 4 * width, 3 * depth),
        CNBlockConfig(4 * width, None, depth),
    ]
    made = ConvNeXt(stages, num_classes=info.n_classes)
    made.features[0][0] = nn.Conv2d(info.shape[0], width, 2, 2)
    net: nn.Module = made
    return net
