"""VGG for small images (Simonyan & Zisserman, 2015), with batch norm and one linear layer at the end."""

from torch import Tensor, nn

STAGES: dict[int, tuple[int, ...]] = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions of each stage by the number of layers that the published network has."""
_WIDEST = 8


class Vgg(nn.Module):
    """Network from images (batch, channels_in, height, width), of 32 pixels or more a side, to logits (batch, n_classes).

    The stages have `width` times 1, 2, 4, 8 and 8 channels; after each the sides are halved.
    """

    def __init__(self, *, depth: int, width: int, n_classes: int, channels_in: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels_in
        for stage, convolutions in enumerate(STAGES[depth]):
            channels = width * min(2**stage, _WIDEST)
            for _ in range(convolutions):
                layers += [nn.Conv2d(before, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
                before = channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(before, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images).mean(dim=(2, 3)))
        return logits
