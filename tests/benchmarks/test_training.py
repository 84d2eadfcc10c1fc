"""Adversarial training against the least that it can cost: bare passes of the same net, in one process, interleaved."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.benchmarks.conftest import Record
from tests.benchmarks.test_attacks import of_pairs
from tests.benchmarks.test_layers import Work, two_threads
from workers.artifacts.artifacts import Artifacts
from workers.data.loading.device_split import DeviceSplit
from workers.models.network import Network, build
from workers.registry import DATASETS
from workers.spec.model import ModelSpec
from workers.spec.recipes import resolve_training
from workers.spec.training import TrainingSpec
from workers.train import Checkpoint, train

__all__ = ["two_threads"]
pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]
BATCHES, BATCH_SIZE, STEPS, BETA = 4, 32, 10, 6.0


def examples() -> DeviceSplit:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(BATCHES * BATCH_SIZE, 3, 32, 32, generator=generator).to(memory_format=torch.channels_last)
    return DeviceSplit(images, torch.randint(10, (len(images),), generator=generator))


def dense() -> Network:
    net = build(ModelSpec(width=16, tensorized=False), DATASETS["cifar10"].facts.info, seed=0)
    return net.to(memory_format=torch.channels_last).train()


def an_epoch(net: Network, settings: TrainingSpec, folder: Path) -> Work:
    """One epoch, from the start each time, with all that belongs to it but the checkpoint, which is not of a step."""

    class Kept(Checkpoint):
        def save(self, state: object) -> None:
            pass

    def epoch() -> None:
        checkpoint, order, attack = (
            Kept(Artifacts(folder).folder("job")),
            torch.Generator().manual_seed(0),
            torch.Generator().manual_seed(1),
        )
        train(net, examples(), settings, order=order, attack=attack, checkpoint=checkpoint, report=[].append)

    return epoch


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    net.eval()
    yield
    net.train()


def bare_pgd(net: nn.Module) -> Work:
    """For each batch ten gradients by the inputs, and a step."""
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)

    def passes() -> None:
        for images, labels in batches():
            with evaluating(net):
                for _ in range(STEPS):
                    leaf = images.clone().requires_grad_()
                    torch.autograd.grad(F.cross_entropy(net(leaf), labels), leaf)
            optimizer.zero_grad()
            F.cross_entropy(net(images), labels).backward()
            optimizer.step()

    return passes


def bare_trades(net: nn.Module) -> Work:
    """For each batch one query, ten gradients by the inputs, and a step on clean and attacked images."""
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)

    def passes() -> None:
        for images, labels in batches():
            with evaluating(net):
                with torch.no_grad():
                    clean = F.log_softmax(net(images), dim=1)
                for _ in range(STEPS):
                    leaf = images.clone().requires_grad_()
                    torch.autograd.grad(divergence(net(leaf), clean), leaf)
            optimizer.zero_grad()
            attacked, logits = net(images), net(images)
            (F.cross_entropy(logits, labels) + BETA * divergence(attacked, F.log_softmax(logits, dim=1))).backward()
            optimizer.step()

    return passes


def divergence(logits: Tensor, others: Tensor) -> Tensor:
    return F.kl_div(F.log_softmax(logits, dim=1), others, reduction="batchmean", log_target=True)


def batches() -> Iterator[tuple[Tensor, Tensor]]:
    data = examples()
    return ((data.inputs[first : first + BATCH_SIZE], data.labels[first : first + BATCH_SIZE]) for first in range(0, len(data), BATCH_SIZE))


@pytest.mark.parametrize(("method", "bare"), [("pgd", bare_pgd), ("trades", bare_trades)], ids=["pgd", "trades"])
def test_an_adversarial_step_against_its_bare_passes(
    method: str, bare: Callable[[nn.Module], Work], tmp_path: Path, record: Record
) -> None:
    """Processor time on one thread, so that other programs count less, and the median of the ratios of neighbouring runs."""
    torch.set_num_threads(1)
    given = {"epochs": 1, "batch_size": BATCH_SIZE, "adversarial_steps": (STEPS, STEPS), "horizontal_flip": True}
    given |= {"adversarial_training": "pgd"} if method == "pgd" else {"loss": "trades"}
    works = {"ours": an_epoch(dense(), resolve_training(given, dataset="cifar10", binary=False), tmp_path), "bare": bare(dense())}
    ratio, seconds = of_pairs(works, repeats=5)
    reference = f"{STEPS} input gradients and a step, {seconds / BATCHES:.2f} s of processor"
    record(
        f"a step of {method.upper()}-{STEPS}, dense ResNet-18 of width 16, batch {BATCH_SIZE}", ratio, asked="<= 1.03", reference=reference
    )
