"""ResNet-18 for 32x32 inputs: a 3x3 stem without max-pooling, four stages of two basic blocks (He et al., 2016)."""

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm around a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, channels_in: int, channels: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = F.relu(self.bn1(self.conv1(inputs)))
        return F.relu(self.bn2(self.conv2(hidden)) + self.shortcut(inputs))


class ResNet18(nn.Module):
    """Images (batch, channels_in, height, width) to logits (batch, n_classes); the stages have `width` times 1, 2, 4 and 8 channels."""

    def __init__(self, *, width: int, n_classes: int, channels_in: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels_in, width, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        blocks: list[nn.Module] = []
        channels_before = width
        for stage in range(4):
            channels = width * 2**stage
            blocks += [BasicBlock(channels_before, channels, stride=1 if stage == 0 else 2), BasicBlock(channels, channels, stride=1)]
            channels_before = channels
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(channels_before, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.blocks(F.relu(self.bn(self.stem(images))))
        logits: Tensor = self.classifier(hidden.mean(dim=(2, 3)))
        return logits
