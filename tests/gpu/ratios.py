"""Ratios of times on one device, each against a reference that takes turns with it; and what a faster attack costs in strength."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.builders import attack_settings
from tests.gpu.candidates import (
    ascent,
    graphed_gradient,
    on_streams_step,
    one_by_one_step,
    plain_gradient,
    side_by_side_step,
)
from tests.gpu.machine import Machine, Part, Work
from workers.attacks.engine import attack_of
from workers.models.network import Network, build
from workers.registry import DATASETS
from workers.spec.model import ModelSpec

INFO = DATASETS["cifar10"].facts.info


def _network(machine: Machine, **settings: Any) -> Network:
    given = {"name": "resnet18", "width": machine.size(64, 4), **settings}
    net = build(ModelSpec.model_validate(given), INFO, seed=0).to(machine.device)
    net.to(memory_format=torch.channels_last).seed(0)  # type: ignore[call-overload]
    return net


def _batch(machine: Machine, *, gpu: int = 512, cpu: int = 8) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    count = machine.size(gpu, cpu)
    images = torch.rand(count, *INFO.shape, generator=generator).to(machine.device).contiguous(memory_format=torch.channels_last)
    return images, torch.randint(10, (count,), generator=generator).to(machine.device)


def _training_step(net: nn.Module, images: Tensor, labels: Tensor, *, halved: bool = False) -> Work:
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=halved):
            logits = net(images)
        F.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return step


def _attack(net: Network, images: Tensor, labels: Tensor, **settings: Any) -> Callable[[], Tensor]:
    chosen = attack_settings(**settings)
    generator = torch.Generator(images.device).manual_seed(0)
    net.eval().requires_grad_(False)
    return lambda: attack_of(chosen)(net, images, labels, settings=chosen, generator=generator, randomness=net.randomness)


def tucker(machine: Machine, part: Part) -> None:
    """Training step of tensorized nets against the dense one, in float32 and bf16."""
    images, labels = _batch(machine)
    for halved in (False, True):
        works = {"dense": _training_step(_network(machine, tensorized=False), images, labels, halved=halved)}
        for rank in (0.25, 0.5, 1.0):
            works[f"{rank}"] = _training_step(_network(machine, rank_fraction=rank, theta=0.9), images, labels, halved=halved)
        found = machine.seconds(works, repeats=machine.size(5, 1))
        named = "bf16" if halved else "float32"
        part.note(f"dense training step, {named}, seconds", found["dense"])
        for rank in ("0.25", "0.5", "1.0"):
            part.note(f"training step of rank {rank} over dense, {named}", found[rank] / found["dense"])


def layout_and_precision(machine: Machine, part: Part) -> None:
    """The dense training step in other memory layouts and precisions, against float32 with channels last."""
    images, labels = _batch(machine)
    last, first = (_network(machine, tensorized=False) for _ in range(2))
    first.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    works = {
        "float32, channels last": _training_step(last, images, labels),
        "float32, channels first": _training_step(first, images.contiguous(), labels),
        "bf16, channels last": _training_step(_network(machine, tensorized=False), images, labels, halved=True),
    }
    found = machine.seconds(works, repeats=machine.size(5, 1))
    for name, seconds in found.items():
        part.note(f"training step, {name}, over float32 with channels last", seconds / found["float32, channels last"])


def pgd(machine: Machine, part: Part) -> None:
    """PGD-20 against as many bare gradients at theta 1 and 0.9; in bf16 and per-example draws against float32 per batch."""
    (images, labels), steps = _batch(machine, gpu=256), machine.size(20, 2)
    for theta in (1.0, 0.9):
        net = _network(machine, theta=theta).eval().requires_grad_(False)
        bare = partial(_repeated, plain_gradient(net), images, labels, steps)
        works = {"bare": bare, "pgd": _attack(net, images, labels, name="pgd", steps=steps)}
        works["bf16"] = _attack(net, images, labels, name="pgd", steps=steps, precision="bf16")
        found = machine.seconds(works, repeats=machine.size(3, 1))
        part.note(f"PGD, {steps} steps, theta {theta:g}, over bare gradients", found["pgd"] / found["bare"])
        part.note(f"PGD in bf16, theta {theta:g}, over float32", found["bf16"] / found["pgd"])
    shared, each = (_network(machine, theta=0.9, draws=draws) for draws in ("batch", "example"))
    works = {name: _attack(net, images, labels, name="pgd", steps=steps) for name, net in (("batch", shared), ("example", each))}
    found = machine.seconds(works, repeats=machine.size(3, 1))
    part.note("PGD with a draw per example over a draw per batch", found["example"] / found["batch"])


def _repeated(gradient: Callable[[Tensor, Tensor], Tensor], images: Tensor, labels: Tensor, times: int) -> None:
    for _ in range(times):
        gradient(images, labels)


def graphs_and_compilation(machine: Machine, part: Part) -> None:
    """The attack's gradient as a CUDA graph, and compiled, against the plain one; the points must be the same up to rounding."""
    images, labels = _batch(machine, gpu=64)
    net, steps = _network(machine, tensorized=False).eval().requires_grad_(False), machine.size(20, 2)
    gradients = {"plain": plain_gradient(net), "graph": graphed_gradient(net, images, labels)}
    if machine.is_gpu:
        gradients["compiled"] = plain_gradient(torch.compile(net))  # type: ignore[arg-type]
    points = {name: ascent(gradient, images, labels, steps=1, epsilon=8 / 255) for name, gradient in gradients.items()}
    works: dict[str, Work] = {
        name: partial(ascent, gradient, images, labels, steps=steps, epsilon=8 / 255) for name, gradient in gradients.items()
    }
    found = machine.seconds(works, repeats=machine.size(5, 1))
    for name in [name for name in gradients if name != "plain"]:
        part.note(f"BIM by a {name} over plain, batch {len(images)}", found[name] / found["plain"])
        same = float((points[name] - points["plain"]).abs().le(1e-6).float().mean())
        part.note(f"share of values that a step by a {name} leaves the same", same)


def narrow_nets(machine: Machine, part: Part) -> None:
    """A training step of many narrow nets on one device: by `vmap` and on streams, against one after the other."""
    count = machine.size(16, 3)
    images, labels = _batch(machine, gpu=128)
    steps = {
        "one by one": one_by_one_step(_plain_nets(machine, count), rate=0.01),
        "vmap": side_by_side_step(_plain_nets(machine, count), rate=0.01),
        "streams": on_streams_step(_plain_nets(machine, count), rate=0.01),
    }
    works: dict[str, Work] = {name: partial(step, images, labels) for name, step in steps.items()}
    found = machine.seconds(works, repeats=machine.size(5, 1))
    for name in ("vmap", "streams"):
        part.note(f"step of {count} narrow nets, {name}, over one by one", found[name] / found["one by one"])


def _plain_nets(machine: Machine, count: int) -> list[nn.Module]:
    """Narrow convolutional nets without batch norm."""
    nets: list[nn.Module] = []
    for seed in range(count):
        torch.manual_seed(seed)
        convolutions = [nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, stride=2, padding=1), nn.ReLU()]
        nets.append(nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)).to(machine.device))
    return nets


RATIOS = {
    "PGD": pgd,
    "Tucker layers": tucker,
    "memory layout and precision": layout_and_precision,
    "graphs and compilation": graphs_and_compilation,
    "narrow nets side by side": narrow_nets,
}
