"""What a new user brings: a net, a folder of images by class, DeepFool, a JPEG defence with BPDA, and a loss like TRADES'."""

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.datasets import ImageFolder
from torchvision.io import decode_jpeg, encode_jpeg

import robustsweep as rs


@rs.model(modality="image")
def my_net(info: rs.DatasetInfo, *, width: int = 4, depth: int = 1) -> nn.Module:
    """Convolutions in a row."""
    channels = [info.shape[0], *[width] * depth]
    convolutions = [nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(channels)]
    layers = [layer for convolution in convolutions for layer in (convolution, nn.ReLU())]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * width, info.n_classes))


@rs.dataset
def my_digits(root: Path | None, *, folder: str = "digits") -> rs.Dataset:
    """Images in DATA/FOLDER/{train,test}/CLASS/*.png."""
    train, test = (ImageFolder(Path(root or ".") / folder / part) for part in ("train", "test"))
    return rs.Dataset(train, test)


def _gradients(logits, points: Tensor) -> tuple[Tensor, Tensor]:
    """The logits, (batch, classes), and their gradients in the inputs, (classes, batch, *shape)."""
    points = points.detach().requires_grad_(True)
    found = logits(points)
    gradients = [torch.autograd.grad(found[:, label].sum(), points, retain_graph=True)[0] for label in range(found.shape[1])]
    return found.detach(), torch.stack(gradients)


def _to_the_boundary(logits, points: Tensor, labels: Tensor, order: float) -> Tensor:
    """The smallest step to the nearest linearised boundary (Moosavi-Dezfooli et al., 2016, algorithm 2)."""
    found, gradients = _gradients(logits, points)
    every = torch.arange(len(labels))
    differences = gradients - gradients[labels, every]
    lengths = differences.flatten(2).norm(p=1 if order == torch.inf else 2, dim=2).clamp_min(1e-12)
    distances = (found - found[every, labels][:, None]).abs().T / lengths
    distances[labels, every] = torch.inf
    size, nearest = distances.min(dim=0)
    direction, length = differences[nearest, every], lengths[nearest, every]
    sizes = (size + 1e-4).view(-1, *[1] * (points.ndim - 1))
    return sizes * (direction.sign() if order == torch.inf else direction / length.view_as(sizes))


@rs.attack(norms=("l2", "linf"), takes_gradients=True, loss="margin")
def my_deepfool(logits, inputs: Tensor, labels: Tensor, *, epsilon: float, norm: str, bounds, steps: int = 5, overshoot: float = 0.1):
    """DeepFool, its steps cut to the ball."""
    order = torch.inf if norm == "linf" else 2
    points = inputs
    for _ in range(steps):
        points = points + (1 + overshoot) * _to_the_boundary(logits, points, labels, order)
        offsets = points - inputs
        if order == torch.inf:
            offsets = offsets.clamp(-epsilon, epsilon)
        else:
            offsets = offsets * (epsilon / offsets.flatten(1).norm(dim=1).clamp_min(1e-12)).clamp(max=1).view(-1, 1, 1, 1)
        points = (inputs + offsets).clamp(*bounds)
    return points


@rs.defence(modalities=("image",))
class MyJpeg(rs.Defence):
    """Compresses images; attackers differentiate it as the identity."""

    def __init__(self, *, quality: int = 75) -> None:
        self.quality = quality

    def transform(self, inputs: Tensor) -> Tensor:
        """Compress each image."""
        images = (255 * inputs).round().to(torch.uint8).cpu()
        compressed = [decode_jpeg(encode_jpeg(image, quality=self.quality)) for image in images]
        return torch.stack(compressed).to(inputs) / 255

    def backward_approximation(self, inputs: Tensor) -> Tensor:
        """Return the identity."""
        return inputs


@rs.loss
def like_trades(network, inputs: Tensor, labels: Tensor, adversary, *, beta: float = 6.0) -> Tensor:
    """The cross-entropy, and beta times how far the adversary's examples change the predictions (Zhang et al., 2019)."""
    clean, moved = network(inputs), network(adversary(inputs, labels))
    away = nn.functional.kl_div(moved.log_softmax(dim=1), clean.log_softmax(dim=1), reduction="batchmean", log_target=True)
    return nn.functional.cross_entropy(clean, labels) + beta * away
