"""Residual networks of pre-activation blocks for small images (He et al., 2016b), narrow or wide (Zagoruyko & Komodakis, 2016)."""

from collections.abc import Sequence

from torch import Tensor, nn


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
