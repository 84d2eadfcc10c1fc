"""Residual networks for small images: ResNet-18 (He et al., 2016), and blocks of pre-activation (He et al., 2016b), narrow or wide."""

from collections.abc import Sequence

from torch import Tensor, nn

_STAGES = 4


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm and a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, channels_in: int, channels: int, *, stride: int) -> None:
        super().__init__()
        # Modules, not functions: defences register hooks on them.
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.relu1(self.bn1(self.conv1(inputs)))
        outputs: Tensor = self.relu2(self.bn2(self.conv2(hidden)) + self.shortcut(inputs))
        return outputs


class BinaryBlock(nn.Module):
    """A basic block in XNOR-Net's order: batch norm directly before each convolution, which takes the signs of its inputs.

    The ReLU after the first convolution makes learning faster (digits, 6 epochs: 97 % instead of 92 %). After the second there is none, so
    that the sum of blocks can fall as well as rise.
    """

    def __init__(self, channels_in: int, channels: int, *, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.relu = nn.ReLU()
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(nn.BatchNorm2d(channels_in), nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.relu(self.conv1(self.bn1(inputs)))
        outputs: Tensor = self.conv2(self.bn2(hidden)) + self.shortcut(inputs)
        return outputs


class ResNet18(nn.Module):
    """Network from images (batch, channels_in, height, width) to logits (batch, n_classes).

    The stages have `width` times 1, 2, 4 and 8 channels.

    With `binary` its blocks are in the order that binary convolutions need, with a batch norm and a ReLU after the last one; the
    convolutions themselves are still real.
    """

    def __init__(self, *, width: int, n_classes: int, channels_in: int = 3, binary: bool = False) -> None:
        super().__init__()
        block = BinaryBlock if binary else BasicBlock
        self.stem = nn.Conv2d(channels_in, width, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        blocks: list[nn.Module] = []
        channels_before = width
        for stage in range(_STAGES):
            channels = width * 2**stage
            blocks += [block(channels_before, channels, stride=1 if stage == 0 else 2), block(channels, channels, stride=1)]
            channels_before = channels
        self.blocks = nn.Sequential(*blocks)
        # The sum of binary blocks has not been normalised yet.
        self.head = nn.Sequential(nn.BatchNorm2d(channels_before), nn.ReLU()) if binary else nn.Identity()
        self.classifier = nn.Linear(channels_before, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.head(self.blocks(self.relu(self.bn(self.stem(images)))))
        logits: Tensor = self.classifier(hidden.mean(dim=(2, 3)))
        return logits


class PreactivationBlock(nn.Module):
    """Two 3x3 convolutions, each after batch norm and ReLU; where the shape changes the shortcut is a 1x1 convolution of activations."""

    def __init__(self, channels_in: int, channels: int, *, stride: int) -> None:
        super().__init__()
        # Modules, not functions: defences register hooks on them.
        self.bn1, self.relu1 = nn.BatchNorm2d(channels_in), nn.ReLU()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.bn2, self.relu2 = nn.BatchNorm2d(channels), nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        changes = stride != 1 or channels_in != channels
        self.shortcut = nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False) if changes else None

    def forward(self, inputs: Tensor) -> Tensor:
        active = self.relu1(self.bn1(inputs))
        outputs: Tensor = self.conv2(self.relu2(self.bn2(self.conv1(active))))
        return outputs + (inputs if self.shortcut is None else self.shortcut(active))


class PreactivationNet(nn.Module):
    """Network from images (batch, channels_in, height, width) to logits (batch, n_classes): a 3x3 stem of `stem` channels, stages of blocks
    with these channels, each but the first of half the size, then batch norm, a ReLU and the mean over all places."""

    def __init__(self, *, stem: int, stages: Sequence[int], blocks: int, n_classes: int, channels_in: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels_in, stem, 3, padding=1, bias=False)
        made: list[nn.Module] = []
        before = stem
        for stage, channels in enumerate(stages):
            for block in range(blocks):
                made.append(PreactivationBlock(before, channels, stride=2 if stage > 0 and block == 0 else 1))
                before = channels
        self.blocks = nn.Sequential(*made)
        self.bn, self.relu = nn.BatchNorm2d(before), nn.ReLU()
        self.classifier = nn.Linear(before, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.relu(self.bn(self.blocks(self.stem(images))))
        logits: Tensor = self.classifier(hidden.mean(dim=(2, 3)))
        return logits
