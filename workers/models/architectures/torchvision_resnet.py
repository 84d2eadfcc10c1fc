"""torchvision's ResNet with a stem for small images, of any width."""

from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

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
