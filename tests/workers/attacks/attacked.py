"""Nets to attack, and attacks on them, for the tests of `workers.attacks`."""

from functools import cache

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.builders import attack_settings
from tests.workers.small import generator, run_attack, split
from workers.registry import ATTACKS

NAMES = [found.name for found in ATTACKS if not found.facts.suite]
LOOP = ["bim", "fgsm", "mi_fgsm", "pgd"]
NORMS = ["l2", "linf"]
_OWN = {"steps", "abs_stepsize", "loss", "momentum", "classes", "samples", "sigma", "precision"}
EPSILON = {"l2": 0.8, "linf": 0.06}


def smooth_net(classes=5):
    """A deterministic net of smooth functions, in double precision: no gradient is exactly zero."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 6 * 6, classes)).double()
    return net.eval().requires_grad_(False)


NET = smooth_net()
INPUTS = torch.rand(12, 2, 8, 8, generator=generator(), dtype=torch.float64)
LABELS = torch.randint(5, (12,), generator=generator())


def brief(name):
    """What an attack has besides steps, at little: for tests that only want it to run."""
    return {own: few for own, few in {"classes": 2, "samples": 2, "searches": 2}.items() if own in ATTACKS[name].settings.model_fields}


class Noisy:
    """A randomised net: `NET` with noise on its inputs, one draw per call or per example; keeps what it was asked."""

    def __init__(self, *, draws="batch", size=0.3, net=NET, seed=9):
        self.draws, self.size, self.net, self.random = draws, size, net, generator(seed)
        self.asked = []

    def __call__(self, points):
        self.asked.append(points.detach().clone())
        shape = points.shape if self.draws == "example" else (1, *points.shape[1:])
        return self.net(points + self.size * torch.randn(shape, generator=self.random, dtype=points.dtype))


def settings(name, *, norm="linf", epsilon=None, steps=5, **more):
    """An attack of a few steps that can leave the clean point far behind; own settings that the attack does not have are left out."""
    others = _OWN - set(ATTACKS[name].settings.model_fields)
    more = {setting: value for setting, value in more.items() if setting not in others}
    return attack_settings(name=name, norm=norm, epsilon=epsilon or EPSILON[norm], steps=steps, **more)


def attacked(name, *, net=NET, inputs=INPUTS, labels=LABELS, seed=0, bounds=(0, 1), randomness="none", **fields):
    chosen = settings(name, **fields)
    random = generator(seed)
    return run_attack(net, inputs, labels, settings=chosen, generator=random, bounds=bounds, randomness=randomness)


def digits(count, *, part="test"):
    """The first digits, 8x8, and their labels."""
    inputs, labels = split(count, part=part).batch(slice(count))
    return inputs[:, :1, ::4, ::4].contiguous(), labels


@cache
def digits_net(*, seed=0):
    """A small convolutional net trained on all training digits, float32; about 98 % right."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(32 * 16, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    (inputs, labels), order = digits(1200, part="train"), generator(seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(12):
        for chosen in torch.randperm(len(labels), generator=order).split(100):
            optimizer.zero_grad()
            F.cross_entropy(net(inputs[chosen]), labels[chosen]).backward()
            optimizer.step()
    return net.eval().requires_grad_(False)


@torch.no_grad()
def accuracy(net, points, labels):
    return float((net(points).argmax(dim=1) == labels).double().mean())
