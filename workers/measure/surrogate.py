"""A surrogate of a net: a small one that is trained on the net's own answers, to make examples on that transfer to it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

from workers.attacks.engine import input_gradient
from workers.attacks.engine.norms import LinfBall
from workers.components.facts import DatasetInfo
from workers.data.loading.device_split import DeviceSplit
from workers.layers import LatentSketch
from workers.models.network import Network, initialise

EXAMPLES = 1000
"""The most training examples that the net is asked about."""
_EPOCHS, _BATCH, _RATE = 16, 50, 2e-3
_WIDTH, _SIDE = 16, 4


def train_surrogate(network: Network, data: DeviceSplit, *, epsilon: float, seed: int) -> Network:
    """Return a small convolutional net, frozen and in eval mode, that gives the answers of `network` around the examples.

    In every epoch it learns the classes that the net gives to points in the balls around the examples: random ones, and in every other
    epoch the surrogate's own FGSM points, by which it learns the net's answers where its attackers look (Papernot et al., 2017). No
    gradient of the net is used.

    Args:
        network: in eval mode.
        data: training examples, on the network's device.
        epsilon: radius of the balls (l-infinity), in input units.
        seed: of the surrogate's weights, and of all that its training draws.
    """
    generator = torch.Generator().manual_seed(seed)
    surrogate = _untrained(_info(network, data), generator).to(data.device)
    random = torch.Generator(data.device).manual_seed(seed)
    optimizer = torch.optim.Adam(surrogate.parameters(), lr=_RATE)
    for epoch in range(_EPOCHS):
        for chosen in torch.randperm(len(data), generator=generator).split(_BATCH):
            inputs, _ = data.batch(chosen.to(data.device))
            points = LinfBall(inputs, epsilon=epsilon, bounds=network.bounds).random(random)
            if epoch % 2:
                points = _outwards(surrogate, points, inputs, epsilon=epsilon)
            loss = F.cross_entropy(surrogate(points), _answers(network, points))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return surrogate.eval().requires_grad_(False)


@torch.no_grad()
def _answers(network: Network, points: Tensor) -> Tensor:
    logits: Tensor = network(points)
    return logits.argmax(dim=1)


def _outwards(surrogate: Network, points: Tensor, inputs: Tensor, *, epsilon: float) -> Tensor:
    """Return the points after a step of `epsilon` that raises the surrogate's loss, in the balls around the inputs, (batch, *shape)."""
    ball = LinfBall(inputs, epsilon=epsilon, bounds=surrogate.bounds)
    slopes = input_gradient(surrogate, points, _answers(surrogate, points))
    return ball.project_(points + epsilon * ball.direction(slopes))


@torch.no_grad()
def _info(network: Network, data: DeviceSplit) -> DatasetInfo:
    """Return what a net on these examples must know, from the network itself."""
    inputs, _ = data.batch(slice(0, 1))
    mean, std = (tuple(values.flatten().tolist()) for values in (network.mean, network.std))
    low, high = network.bounds
    return DatasetInfo(n_classes=network(inputs).shape[1], shape=tuple(inputs.shape[1:]), mean=mean, std=std, low=low, high=high)


def _untrained(info: DatasetInfo, generator: torch.Generator) -> Network:
    """Return three convolutions, the last two of stride 2 (waveforms: 4), and a linear layer on a few positions of what they see."""
    image = info.modality == "image"
    convolution = nn.Conv2d if image else nn.Conv1d
    kernel, stride, pool = (3, 2, nn.AdaptiveAvgPool2d(_SIDE)) if image else (9, 4, nn.AdaptiveAvgPool1d(_SIDE**2))
    layers: list[nn.Module] = []
    channels = info.shape[0]
    for number in range(3):
        width = _WIDTH * 2**number
        layers += [convolution(channels, width, kernel, stride=stride if number else 1, padding=kernel // 2), nn.ReLU()]
        channels = width
    body = nn.Sequential(*layers, pool, nn.Flatten(), nn.Linear(channels * _SIDE**2, info.n_classes))
    initialise(body, generator)
    sketch = LatentSketch(theta=1.0, modes="channels", rescale=True, all_zero="keep", draws="batch")
    return Network(body, sketch=sketch, info=info)
