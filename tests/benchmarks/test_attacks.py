"""Attacks against the least that they can cost: bare forward and backward passes of the same net, in one process, interleaved."""

import os
import statistics
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from tests.benchmarks.conftest import Record
from tests.benchmarks.test_layers import Work, batch, input_gradient, network, rounds, seconds, two_threads
from tests.builders import attack_settings
from workers.artifacts.artifacts import Artifacts
from workers.attacks.engine import Memory, attack_of
from workers.components.facts import DatasetInfo
from workers.data.loading import source
from workers.data.loading.device_split import DeviceSplit
from workers.measure.evaluate import attacker, correct_flags
from workers.models.network import Network, build
from workers.registry import DATASETS
from workers.spec.component import DataSpec
from workers.spec.fields import Draws, Randomness
from workers.spec.model import ModelSpec
from workers.spec.training import TrainingSpec
from workers.train import Checkpoint, train

__all__ = ["two_threads"]
pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]
EPSILONS = [k / 255 for k in (1, 2, 4, 8, 16, 32, 64, 128)]
DATA = os.environ.get("ROBUSTSWEEP_DATA")
FURTHER_QUERIES = 2
"""Those of FAB in addition to one a step, as counted by a hook on the net."""


def repeated(work: Work, times: int) -> Work:
    def several() -> None:
        for _ in range(times):
            work()

    return several


def attack(net: Network, images: Tensor, labels: Tensor, *, randomness: Randomness = "none", **settings: object) -> Work:
    chosen = attack_settings(**settings)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    net.eval().requires_grad_(False)
    return lambda: attack_of(chosen)(net, images, labels, settings=chosen, generator=generator, randomness=randomness)


@pytest.mark.parametrize("theta", [1.0, 0.9])
def test_pgd_against_bare_gradients(theta: float, record: Record) -> None:
    """Processor time, so that other programs count less, and the median of the ratios of neighbouring runs."""
    torch.set_num_threads(1)
    (images, labels), steps = batch(8), 20
    net = network(theta=theta)
    works = {
        "bare": repeated(input_gradient(net, images, labels), steps),
        "ours": attack(net, images, labels, name="pgd", steps=steps, randomness="none" if theta == 1 else "batch"),
    }
    ratio, bare = of_pairs(works, repeats=5)
    name = f"PGD, {steps} steps, tensorized ResNet-18, rank 0.5, theta {theta:g}, batch 8"
    record(name, ratio, asked="<= 1.02", reference=f"as many bare input gradients, {bare:.2f} s of processor")


def of_pairs(works: dict[str, Work], *, repeats: int) -> tuple[float, float]:
    """The median of the ratios of neighbouring runs of `ours` and `bare`, in processor time, and the median seconds of the latter."""
    found = rounds(works, repeats=repeats, clock=time.process_time)
    ratio = statistics.median(ours / bare for ours, bare in zip(found["ours"], found["bare"], strict=True))
    return ratio, statistics.median(found["bare"])


def test_pgd_on_an_adopted_net_against_its_bare_passes(record: Record) -> None:
    """Processor time, so that other programs count less, and the median of the ratios of neighbouring runs; the net is a library's, of 64
    by 64 pixels."""
    torch.set_num_threads(1)
    info = DatasetInfo(n_classes=10, shape=(3, 64, 64), mean=(0.5,) * 3, std=(0.25,) * 3)
    net = build(ModelSpec(name="torchvision:resnet18", tensorized=False), info, seed=0)
    images, labels = torch.rand(16, *info.shape, generator=torch.Generator().manual_seed(0)), torch.arange(16) % 10
    steps = 5
    works = {
        "bare": repeated(input_gradient(net.body, images, labels), steps),
        "ours": attack(net, images, labels, name="pgd", steps=steps),
    }
    ratio, bare = of_pairs(works, repeats=7)
    reference = f"as many forward and backward passes of the bare net, {bare:.2f} s"
    record(f"PGD, {steps} steps, torchvision's ResNet-18, 64x64", ratio, asked="<= 1.03", reference=reference)


@pytest.mark.parametrize("size", [4, 16])
def test_what_pgd_adds_to_the_passes_of_an_adopted_net(size: int, record: Record) -> None:
    """The same ratio on a busy machine: PGD on a net of the same inputs that is next to nothing takes little but what PGD adds, so little
    that the least of many times is undisturbed."""
    torch.set_num_threads(1)
    info = DatasetInfo(n_classes=10, shape=(3, 64, 64), mean=(0.5,) * 3, std=(0.25,) * 3)
    net, small = (build(ModelSpec(name="torchvision:resnet18", tensorized=False), info, seed=0) for _ in range(2))
    small.body = torch.nn.Sequential(torch.nn.AvgPool2d(16), torch.nn.Flatten(), torch.nn.Linear(48, 10))
    images, labels = torch.rand(size, *info.shape, generator=torch.Generator().manual_seed(0)), torch.arange(size) % 10
    steps = 5
    gradients = {name: repeated(input_gradient(one.body, images, labels), steps) for name, one in (("bare", net), ("small", small))}
    bare = min(rounds({"bare": gradients["bare"]}, repeats=6, clock=time.process_time)["bare"])
    works = {"bare": gradients["small"], "pgd": attack(small, images, labels, name="pgd", steps=steps)}
    found = {name: min(times) for name, times in rounds(works, repeats=60, clock=time.process_time).items()}
    name = f"PGD, {steps} steps, what it adds to torchvision's ResNet-18, 64x64, batch {size}"
    reference = f"as many forward and backward passes of the bare net, {bare:.2f} s"
    record(name, 1 + (found["pgd"] - found["bare"]) / bare, asked="<= 1.03", reference=reference)


def test_fgsm_over_eight_epsilons(record: Record) -> None:
    images, labels = batch(32)
    net = network(theta=1.0).eval().requires_grad_(False)
    data, gradient = DeviceSplit(images, labels), input_gradient(net, images, labels)

    def fgsm() -> None:
        memory: Memory = {}
        for epsilon in EPSILONS:
            perturb = attacker(net, attack_settings(epsilon=epsilon), generator=torch.Generator(), memory=memory)
            correct_flags(net, data, batch_size=32, perturb=perturb)

    @torch.no_grad()
    def forward() -> Tensor:
        logits: Tensor = net(images)
        return logits

    def least() -> None:
        gradient()
        repeated(forward, len(EPSILONS))()

    found = seconds({"fgsm": fgsm, "least": least, "gradient": gradient}, repeats=3)
    record(
        "FGSM and its accuracy at 8 epsilons", found["fgsm"] / found["least"], asked="<= 1", reference="one gradient and 8 forward passes"
    )
    record("FGSM and its accuracy at 8 epsilons, in gradients", found["fgsm"] / found["gradient"], asked="< 12", reference="one gradient")


@pytest.mark.parametrize("draws", ["batch", "example"])
def test_eot_against_as_many_single_gradients(draws: Draws, record: Record) -> None:
    (images, labels), samples = batch(16), 8
    net = build(ModelSpec(rank_fraction=0.5, theta=0.9, draws=draws), DATASETS["cifar10"].facts.info, seed=0)
    net.to(memory_format=torch.channels_last).seed(0)  # type: ignore[call-overload]
    single, averaged = (attack(net, images, labels, name="bim", randomness=draws, eot_samples=n) for n in (1, samples))
    found = seconds({"one": single, "averaged": averaged}, repeats=3)
    name = f"EOT gradient over {samples} draws per {draws}, batch 16"
    record(name, found["averaged"] / found["one"], asked=f"<= {samples}", reference="a gradient through one draw")


def undefended(folder: Path) -> tuple[Network, DeviceSplit]:
    dataset = source(DataSpec(name="cifar10")).load(Path(str(DATA)))
    net = build(ModelSpec(width=8, tensorized=False), DATASETS["cifar10"].facts.info, seed=1)
    settings = TrainingSpec(epochs=4, batch_size=100, horizontal_flip=True)
    torch.set_num_threads(1)  # small convolutions: more threads than free cores make them many times slower
    given = {"order": torch.Generator().manual_seed(0), "checkpoint": Checkpoint(Artifacts(folder).folder("job")), "report": [].append}
    train(net, DeviceSplit.put(dataset.train.first(2000), torch.device("cpu")), settings, **given)  # type: ignore[arg-type]
    return net.eval().requires_grad_(False), DeviceSplit.put(dataset.test.first(256), torch.device("cpu"))


@pytest.mark.skipif(DATA is None, reason="ROBUSTSWEEP_DATA names no data root with CIFAR-10")
def test_leaving_early_on_an_undefended_net(tmp_path: Path, record: Record) -> None:
    net, data = undefended(tmp_path)
    images, labels = data.batch(slice(None))
    kept = {"name": "pgd", "epsilon": 8 / 255, "steps": 20}
    works = {str(stop): attack(net, images, labels, early_stop=stop, **kept) for stop in (False, True)}
    fooled = {stop: net(work()).argmax(dim=1) != labels for stop, work in works.items()}
    clean = float((net(images).argmax(dim=1) == labels).float().mean())
    missed = int((fooled["False"] & ~fooled["True"]).sum())
    found = seconds(works, repeats=3)
    reference = f"PGD-20 with early stopping, 8/255, clean accuracy {clean:.0%}; examples missed: {missed}"
    record("PGD-20 on an undefended net", found["False"] / found["True"], asked=">= 2", reference=reference)


def test_the_loop_itself_is_small(record: Record) -> None:
    """The tensors that PGD touches besides the net's, against one gradient of a narrow dense net."""
    images, labels = batch(64)
    net = build(ModelSpec(width=16, tensorized=False), DATASETS["cifar10"].facts.info, seed=0).eval().requires_grad_(False)
    leaf = images.clone()

    def gradient() -> Tensor:
        points = leaf.detach().requires_grad_()
        (found,) = torch.autograd.grad(F.cross_entropy(net(points), labels), points)
        return found

    found = seconds({"bare": repeated(gradient, 10), "pgd": attack(net, images, labels, name="pgd", steps=10)}, repeats=9)
    record("PGD, 10 steps, dense ResNet-18 of width 16", found["pgd"] / found["bare"], asked="<= 1.03", reference="10 bare input gradients")


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_fab_against_its_bare_passes(norm: str, record: Record) -> None:
    """One gradient of a difference of logits and one query a step: what FAB computes besides should be small. In processor time."""
    torch.set_num_threads(1)
    (images, labels), steps = batch(64), 10
    net = build(ModelSpec(width=16, tensorized=False), DATASETS["cifar10"].facts.info, seed=0).eval().requires_grad_(False)
    labels = net(images).argmax(dim=1)  # all are attacked

    def passes() -> Tensor:
        points = images.detach().clone().requires_grad_()
        (found,) = torch.autograd.grad(net(points)[:, 0].sum(), points)
        with torch.no_grad():
            net(images)
        return found

    def bare() -> None:
        repeated(passes, steps)()
        with torch.no_grad():
            repeated(lambda: net(images), FURTHER_QUERIES)()

    fab = attack(net, images, labels, name="fab_t", norm=norm, epsilon=1e-6, steps=steps, classes=1)
    found = seconds({"bare": bare, "fab": fab}, repeats=5, clock=time.process_time)
    name = f"FAB, {steps} steps to one class, {norm}, dense ResNet-18 of width 16, batch 64"
    record(name, found["fab"] / found["bare"], asked="<= 1.05", reference=f"{steps} gradients and {steps + FURTHER_QUERIES} queries")
