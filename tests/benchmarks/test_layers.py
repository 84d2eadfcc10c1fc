"""Tensorized ResNet-18 against its dense form: training step, evaluation and input gradient, in one process, interleaved."""

import statistics
import time
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.benchmarks.conftest import Record
from workers.layers import LatentSketch, TuckerLayer, cheaper_execution
from workers.models.network import Network, build
from workers.registry import DATASETS
from workers.spec.fields import ExecutionChoice, Factorization
from workers.spec.model import ModelSpec

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]
REPEATS = 5
Work = Callable[[], object]


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def seconds(works: dict[str, Work], *, repeats: int = REPEATS, clock: Callable[[], float] = time.perf_counter) -> dict[str, float]:
    """The median time of each piece of work, the pieces taking turns, after one untimed round."""
    return {name: statistics.median(found) for name, found in rounds(works, repeats=repeats, clock=clock).items()}


def rounds(works: dict[str, Work], *, repeats: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """The times of each piece of work, the pieces taking turns, forwards and backwards, after one untimed round."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(repeats + 1):
        for name in list(works)[:: 1 if number % 2 else -1]:
            start = clock()
            works[name]()
            times[name].append(clock() - start)
    return {name: found[1:] for name, found in times.items()}


def network(*, tensorized: bool = True, rank: float = 0.5, theta: float = 0.9, factorization: Factorization = "tucker") -> Network:
    spec = ModelSpec(tensorized=tensorized, rank_fraction=rank, theta=theta if tensorized else 1.0, factorization=factorization)
    net = build(spec, DATASETS["cifar10"].facts.info, seed=0).to(memory_format=torch.channels_last)
    net.seed(0)
    return net


def batch(size: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(size, 3, 32, 32, generator=generator).to(memory_format=torch.channels_last)
    return images, torch.randint(10, (size,), generator=generator)


def training_step(net: nn.Module, images: Tensor, labels: Tensor) -> Work:
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        optimizer.step()

    return step


def evaluation(net: nn.Module, images: Tensor, _: Tensor) -> Work:
    net.eval()

    @torch.no_grad()
    def evaluate() -> Tensor:
        logits: Tensor = net(images)
        return logits

    return evaluate


def input_gradient(net: nn.Module, images: Tensor, labels: Tensor) -> Work:
    net.eval().requires_grad_(False)

    def gradient() -> Tensor:
        leaf = images.clone().requires_grad_()
        (found,) = torch.autograd.grad(F.cross_entropy(net(leaf), labels), leaf)
        return found

    return gradient


ASKED = {0.25: "<= 0.55", 0.5: "<= 0.75", 1.0: "<= 1.35"}


@pytest.mark.parametrize("kind", [training_step, evaluation, input_gradient], ids=lambda kind: kind.__name__)
def test_tensorized_resnet18_against_dense(kind: Callable[..., Work], record: Record) -> None:
    images, labels = batch(128)
    works = {"dense": kind(network(tensorized=False), images, labels)}
    works |= {str(rank): kind(network(rank=rank), images, labels) for rank in ASKED}
    found = seconds(works, repeats=3)
    for rank, asked in ASKED.items():
        name = f"{kind.__name__} of tensorized ResNet-18, rank {rank}, theta 0.9, batch 128"
        record(name, found[str(rank)] / found["dense"], asked=asked, reference=f"dense ResNet-18, {found['dense']:.2f} s, 2 threads")


@pytest.mark.parametrize("factorization", ["cp", "tt"])
@pytest.mark.parametrize("kind", [training_step, evaluation], ids=lambda kind: kind.__name__)
def test_other_factorizations_of_resnet18_against_dense(kind: Callable[..., Work], factorization: Factorization, record: Record) -> None:
    images, labels = batch(128)
    works = {"dense": kind(network(tensorized=False), images, labels)}
    works |= {str(rank): kind(network(rank=rank, factorization=factorization), images, labels) for rank in ASKED}
    found = seconds(works, repeats=3)
    for rank, asked in ASKED.items():
        name = f"{kind.__name__} of ResNet-18 in {factorization} form, rank {rank}, theta 0.9, batch 128"
        record(name, found[str(rank)] / found["dense"], asked=asked, reference=f"dense ResNet-18, {found['dense']:.2f} s, 2 threads")


def test_the_sketch_itself(record: Record) -> None:
    images, labels = batch(128)
    works = {str(theta): training_step(network(theta=theta), images, labels) for theta in (1.0, 0.9)}
    found = seconds(works, repeats=15)
    record(
        "training step at theta 0.9", found["0.9"] / found["1.0"], asked="<= 1.03", reference="the same net at theta 1, rank 0.5, batch 128"
    )


def tensorly_torch(rank: float, implementation: str) -> nn.Module:
    """ResNet-18 with TensorLy-Torch's Tucker convolutions of the same ranks and its tensor dropout, active in training."""
    import tltorch
    from tltorch.tensor_hooks import tensor_dropout

    net = build(ModelSpec(tensorized=False), DATASETS["cifar10"].facts.info, seed=0)
    convolutions = [name for name, module in net.body.named_modules() if isinstance(module, nn.Conv2d)][1:]
    for name in convolutions:
        dense = net.body.get_submodule(name)
        assert isinstance(dense, nn.Conv2d)
        filters, channels, *spatial = dense.weight.shape
        ranks = (round(rank * filters), round(rank * channels), *spatial)
        layer = tltorch.FactorizedConv.from_conv(
            dense, rank=ranks, factorization="tucker", implementation=implementation, decompose_weights=False
        )
        layer.weight.normal_(0, 0.02)
        tensor_dropout(layer.weight, p=0.1, min_dim=3, min_values=1)
        parent, _, child = name.rpartition(".")
        setattr(net.body.get_submodule(parent), child, layer)
    return net


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("implementation", ["reconstructed", "factorized"])
@pytest.mark.parametrize("rank", ASKED)
def test_tensorly_torch_with_tensor_dropout(rank: float, implementation: str, record: Record) -> None:
    """Against both of its implementations; `reconstructed` is what its `from_conv` makes by default."""
    images, labels = batch(32)
    # Three networks at a time: oneDNN keeps 1,024 primitives, and making them anew at every step would slow each of them down.
    works = {
        "dense": training_step(network(tensorized=False), images, labels),
        "ours": training_step(network(rank=rank), images, labels),
        "theirs": training_step(tensorly_torch(rank, implementation), images.contiguous(), labels),
    }
    found = seconds(works)
    print({name: f"{time / found['dense']:.2f} of dense" for name, time in found.items()})
    name = f"TensorLy-Torch's training step ({implementation}), rank {rank}, batch 32"
    record(name, found["theirs"] / found["ours"], asked=">= 3", reference=f"ours, {found['ours']:.2f} s, 2 threads")


SHAPES = {
    "64x64x3 at 32": (64, 64, 3, 1, 32),
    "128x64x3/2 at 32": (128, 64, 3, 2, 32),
    "128x128x3 at 16": (128, 128, 3, 1, 16),
    "256x128x3/2 at 16": (256, 128, 3, 2, 16),
    "256x256x3 at 8": (256, 256, 3, 1, 8),
    "512x256x3/2 at 8": (512, 256, 3, 2, 8),
    "512x512x3 at 4": (512, 512, 3, 1, 4),
    "128x64x1/2 at 32": (128, 64, 1, 2, 32),
    "512x256x1/2 at 8": (512, 256, 1, 2, 8),
}


@pytest.mark.parametrize("rank", [0.25, 0.5, 1.0])
def test_auto_takes_the_better_execution_of_every_layer(rank: float, record: Record) -> None:
    worst, where = 1.0, ""
    for name, (filters, channels, size, stride, side) in SHAPES.items():
        shape, ranks = (filters, channels, size, size), (round(rank * filters), round(rank * channels), size, size)
        inputs = torch.randn(128, channels, side, side).to(memory_format=torch.channels_last)
        executions: tuple[ExecutionChoice, ...] = ("reconstruct", "factorized")
        found = seconds({execution: layer_step(shape, ranks, execution, stride, inputs) for execution in executions})
        chosen = cheaper_execution(shape, ranks, stride=stride * stride, positions_in=side * side)
        ratio = found[chosen] / min(found.values())
        print(f"{name}, rank {rank}: {chosen}, {ratio:.2f} of the better one ({found})")
        worst, where = max((worst, where), (ratio, name))
    record(f"auto execution, rank {rank}, worst layer ({where})", worst, asked="<= 1.05", reference="the better of the two executions")


def layer_step(shape: tuple[int, ...], ranks: tuple[int, ...], execution: ExecutionChoice, stride: int, inputs: Tensor) -> Work:
    assert execution != "auto"
    sketch = LatentSketch(theta=0.9)
    sketch.generator = torch.Generator().manual_seed(0)
    layer = TuckerLayer(shape, ranks, sketch=sketch, execution=execution, stride=(stride,), padding=(shape[2] // 2,))
    layer.kernel.initialise(torch.Generator().manual_seed(0))
    layer.to(memory_format=torch.channels_last)
    leaf = inputs.requires_grad_()

    def step() -> None:
        layer(leaf).sum().backward()

    return step


def test_masking_the_factors_against_selecting_their_columns(record: Record) -> None:
    """The two ways to sketch give the same kernel; ours masks, which keeps shapes fixed."""
    sketch = LatentSketch(theta=0.9)
    sketch.generator = torch.Generator().manual_seed(0)
    layer = TuckerLayer((256, 256, 3, 3), (128, 128, 3, 3), sketch=sketch)
    kernel = layer.kernel
    kernel.initialise(torch.Generator().manual_seed(1))

    def masking() -> Tensor:
        built: Tensor = kernel()
        return built

    def selecting() -> Tensor:
        filters, channels = (scale.nonzero().squeeze(1) for scale in kernel.draw()[:2] if scale is not None)
        core = kernel.core[filters][:, channels] / 0.9**2
        rest = torch.einsum("abhw,yh,xw->abyx", core, kernel.factors[2], kernel.factors[3])
        return torch.einsum("abyx,fa,cb->fcyx", rest, kernel.factors[0][:, filters], kernel.factors[1][:, channels])

    with sketch.frozen():
        torch.testing.assert_close(masking(), selecting(), rtol=1e-4, atol=1e-5)
    found = seconds({"masking": lambda: masking().sum().backward(), "selecting": lambda: selecting().sum().backward()}, repeats=20)
    record("kernel by masking, 256x256x3x3 at rank 0.5", found["masking"] / found["selecting"], asked="<= 1", reference="by selecting")
