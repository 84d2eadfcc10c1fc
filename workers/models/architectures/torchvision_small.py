"""torchvision's ResNet, ViT and ConvNeXt at the size of small images, of any width."""

from torch import nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.models.vision_transformer import VisionTransformer

from workers.components.facts import DatasetInfo
from workers.errors import UserError

BLOCKS: dict[int, tuple[type[BasicBlock | Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}
"""Kind of block and blocks of each stage by the number of layers."""


class SmallImageResNet(ResNet):  # type: ignore[misc]  # torchvision is not typed
    """Network from images (batch, channels_in, height, width) to logits (batch, n_classes): torchvision's class, blocks, names of layers
    and forward pass, with a first convolution of 3x3 and stride 1, no max-pooling, and stages of `width` times 1, 2, 4 and 8 channels."""

    def __init__(self, *, layers: int, width: int, n_classes: int, channels_in: int) -> None:
        nn.Module.__init__(self)  # the library's own constructor has one width and one stem
        block, blocks = BLOCKS[layers]
        self._norm_layer = nn.BatchNorm2d
        self.inplanes, self.dilation, self.groups, self.base_width = width, 1, 1, 64
        self.conv1 = nn.Conv2d(channels_in, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity()
        self.layer1 = self._make_layer(block, width, blocks[0])
        self.layer2 = self._make_layer(block, 2 * width, blocks[1], stride=2)
        self.layer3 = self._make_layer(block, 4 * width, blocks[2], stride=2)
        self.layer4 = self._make_layer(block, 8 * width, blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8 * width * block.expansion, n_classes)


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
