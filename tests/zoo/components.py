"""A zoo of small nets on 8x8 digits, as a user's plugin: masks that hide an undefended net from attacks, honest defences, their data."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

import robustsweep as rs

IMAGES = rs.DatasetInfo(n_classes=10, shape=(1, 8, 8), mean=(0.0,), std=(1.0,))
WAVES = rs.DatasetInfo(n_classes=10, shape=(1, 64), mean=(0.0,), std=(1.0,), low=-1.0, high=1.0)
N_TRAIN, N_TEST = 1397, 400


def _splits(*, wave: bool) -> rs.Dataset:
    """Return scikit-learn's scans as images in [0, 1], or row after row as waveforms in [-1, 1]."""
    from sklearn.datasets import load_digits

    scans, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    values = (scans / 16).astype(np.float32)
    values = (2 * values - 1).reshape(-1, 1, 64) if wave else values.reshape(-1, 1, 8, 8)
    train, test = order[:N_TRAIN], order[N_TRAIN:]
    return rs.Dataset(train=rs.Split(values[train], labels[train]), test=rs.Split(values[test], labels[test]))


@rs.dataset(info=IMAGES, n_train=N_TRAIN, n_test=N_TEST)
def scans(root):
    """Handwritten digits, 8 pixels wide."""
    return _splits(wave=False)


@rs.dataset(info=WAVES, n_train=N_TRAIN, n_test=N_TEST)
def scanned_waves(root):
    """Handwritten digits, row after row, as waveforms."""
    return _splits(wave=True)


def _plain(width: int, n_classes: int = 10) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2 * width * 16, n_classes),
    )


@rs.model(modality="image")
def plain(info, *, width: int = 8) -> nn.Module:
    """Two convolutions and a linear layer: what every mask hides."""
    return _plain(width, info.n_classes)


@rs.model(modality="audio")
def waves(info, *, width: int = 8) -> nn.Module:
    """The same on waveforms."""
    return nn.Sequential(
        nn.Conv1d(1, width, 9, stride=2, padding=4),
        nn.ReLU(),
        nn.Conv1d(width, 2 * width, 9, stride=2, padding=4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * width, info.n_classes),
    )


def _staircase(steps: int, slope: float):
    """Stairs with ramps between them: between two ramps the gradient all but vanishes, yet nowhere is it zero."""

    def climb(points: Tensor) -> Tensor:
        scaled = points * steps
        floor = scaled.floor()
        height = torch.sigmoid(slope * (scaled - floor - 0.5))
        return (floor + height) / steps

    return climb


def _ripples(points: Tensor) -> Tensor:
    """The input with fine waves on it, so steep that the slope's sign changes everywhere."""
    return points + 0.01 * torch.sin(700 * points)


def _partly_turned(points: Tensor) -> Tensor:
    """The input; in two pixels of three the gradient's sign is wrong."""
    places = torch.arange(points[0].numel(), device=points.device).view(points.shape[1:]) % 3 != 0
    turned = 2 * points.detach() - points
    return torch.where(places, turned, points)


def _partly_detached(points: Tensor) -> Tensor:
    """The input; three pixels of four have no gradient."""
    places = torch.arange(points[0].numel(), device=points.device).view(points.shape[1:]) % 4 != 0
    return torch.where(places, points.detach(), points)


def _jpeg(points: Tensor) -> Tensor:
    """The rounded coefficients of the cosine transform of 8x8 blocks, without a gradient."""
    size = torch.arange(8, device=points.device, dtype=points.dtype)
    basis = torch.cos((2 * size[None] + 1) * size[:, None] * torch.pi / 16) * 0.5
    basis[0] *= 0.5**0.5
    coefficients = basis @ points.detach() @ basis.T
    table = 0.04 + 0.02 * (size[:, None] + size[None])
    return basis.T @ ((coefficients / table).round() * table) @ basis


def _thermometer(points: Tensor) -> Tensor:
    """A unary code of sixteen levels, read back as their mean; no gradient."""
    levels = (torch.arange(16, device=points.device, dtype=points.dtype) + 0.5) / 16
    return (points.detach().unsqueeze(-1) > levels).to(points.dtype).mean(dim=-1)


FRONTS = {
    "staircase": _staircase(16, 60.0),
    "coarse_staircase": _staircase(8, 60.0),
    "quantised": lambda points: (points * 16).round() / 16,
    "ripples": _ripples,
    "partly_turned": _partly_turned,
    "partly_detached": _partly_detached,
    "jpeg": _jpeg,
    "thermometer": _thermometer,
}


class Fronted(nn.Module):
    """A plain net with a mask before it, which is off in training."""

    def __init__(self, front: str, width: int) -> None:
        super().__init__()
        self.front, self.body = FRONTS[front], _plain(width)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.body(inputs if self.training else self.front(inputs))
        return logits


@rs.model(modality="image")
def fronted(info, *, front: str, width: int = 8) -> nn.Module:
    """A plain net with a mask before it."""
    return Fronted(front, width)


def _barrier(logits: Tensor, inputs: Tensor) -> Tensor:
    """Raise the greatest logit by a barrier whose slope says nothing of the classes; the prediction is unchanged."""
    phase = (inputs * 400).flatten(1).sum(dim=1)
    wall = -torch.log(torch.sin(phase).abs() + 1e-2)
    return logits + F.one_hot(logits.argmax(dim=1), logits.shape[1]) * (2 + wall.clamp_min(0))[:, None]


BACKS = {
    "scaled": lambda logits, inputs: logits * 1e4,  # noqa: ARG005
    "sharp": lambda logits, inputs: logits * 60,  # noqa: ARG005
    "clipped": lambda logits, inputs: logits.clamp(-2, 2),  # noqa: ARG005
    "winner_only": lambda logits, inputs: F.one_hot(logits.argmax(dim=1), logits.shape[1]) + 0 * logits,  # noqa: ARG005
    "barrier": _barrier,
}


class Backed(nn.Module):
    """A plain net with a mask after it, which is off in training."""

    def __init__(self, back: str, width: int) -> None:
        super().__init__()
        self.back, self.body = BACKS[back], _plain(width)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.body(inputs)
        return logits if self.training else self.back(logits, inputs)


@rs.model(modality="image")
def backed(info, *, back: str, width: int = 8) -> nn.Module:
    """A plain net with a mask after it."""
    return Backed(back, width)


class Decoy(nn.Module):
    """A net whose gradient is another, untrained net's."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body, self.other = _plain(width), _plain(width)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            logits: Tensor = self.body(inputs)
            return logits
        decoy = self.other(inputs)
        return self.body(inputs.detach()) + decoy - decoy.detach()


@rs.model(modality="image")
def decoy(info, *, width: int = 8) -> nn.Module:
    """A net whose gradient is another, untrained net's."""
    return Decoy(width)


class OneOpen(nn.Module):
    """A mean of nets of which one alone lets gradients through."""

    def __init__(self, width: int, members: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(_plain(width) for _ in range(members))

    def forward(self, inputs: Tensor) -> Tensor:
        closed = inputs if self.training else inputs.detach()
        each = [member(inputs if number == 0 else closed) for number, member in enumerate(self.members)]
        return torch.stack(each).mean(dim=0)


@rs.model(modality="image")
def one_open(info, *, width: int = 8, members: int = 5) -> nn.Module:
    """An ensemble of which one net alone lets gradients through."""
    return OneOpen(width, members)


class Switched(nn.Module):
    """An ensemble of which the input's last digits choose one member."""

    def __init__(self, width: int, members: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(_plain(width) for _ in range(members))

    def forward(self, inputs: Tensor) -> Tensor:
        each = torch.stack([member(inputs) for member in self.members])
        if self.training:
            return each.mean(dim=0)
        chosen = (inputs.flatten(1).double().sum(dim=1) * 1e5).long() % len(self.members)
        return each[chosen, torch.arange(len(inputs), device=inputs.device)]


@rs.model(modality="image")
def switched(info, *, width: int = 8, members: int = 5) -> nn.Module:
    """An ensemble switched by a hash of the input."""
    return Switched(width, members)


class Winners(nn.Module):
    """Only the largest activations pass (k-winners-take-all, Xiao et al., 2020)."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, activations: Tensor) -> Tensor:
        flat = activations.flatten(1)
        least = flat.topk(max(1, int(self.share * flat.shape[1])), dim=1).values[:, -1:]
        return torch.where(flat >= least, flat, 0.0).view_as(activations)


@rs.model(modality="image")
def winners(info, *, width: int = 32, share: float = 0.05) -> nn.Module:
    """A net of k-winners-take-all activations."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        Winners(share),
        nn.Conv2d(width, width, 3, padding=1),
        Winners(share),
        nn.Flatten(),
        nn.Linear(width * 64, info.n_classes),
    )


@rs.defence(randomised=True)
class InputNoise(rs.Defence):
    """Adds uniform noise to every input."""

    def __init__(self, *, noise: float = 0.4) -> None:
        self._noise = noise

    def transform(self, inputs):
        """Add uniform noise."""
        return inputs + self._noise * (2 * self.uniform(inputs.shape, inputs.device, owner=self) - 1) if self.live else inputs


@rs.defence(randomised=True)
class RandomShift(rs.Defence):
    """Moves each image at random by at most so many pixels, black ones coming in."""

    def __init__(self, *, most: int = 2) -> None:
        self._most = most

    def transform(self, inputs):
        """Shift each image."""
        if not self.live:
            return inputs
        span = 2 * self._most + 1
        offsets = (self.uniform((len(inputs), 2), inputs.device, owner=self) * span).long().clamp_max(span - 1)
        padded = F.pad(inputs, [self._most] * 4)
        size = torch.arange(inputs.shape[-1], device=inputs.device)
        rows, columns = (offsets[:, axis, None] + size for axis in (0, 1))
        places = torch.arange(len(inputs), device=inputs.device)
        return padded[places[:, None, None], 0, rows[:, :, None], columns[:, None, :]][:, None]


@rs.loss()
def noisy(network, inputs, labels, adversary, *, deviation: float = 0.2):
    """The cross-entropy under Gaussian noise."""
    return F.cross_entropy(network((inputs + deviation * torch.randn_like(inputs)).clamp(0, 1)), labels)
