"""Ways to compute faster on a GPU that the product does not take yet: each gives the same as the plain way, and is timed against it.

They are measured here before any of them becomes a setting: CUDA graphs for the gradient of an attack and for a training step,
`torch.compile`, and many narrow nets side by side on one card.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F  # noqa: N812

_WARM_UPS = 3
Gradient = Callable[[Tensor, Tensor], Tensor]


def plain_gradient(net: nn.Module) -> Gradient:
    """Return the input gradient of the summed cross-entropy, (batch, *shape), as the attacks take it."""

    def gradient(points: Tensor, labels: Tensor) -> Tensor:
        leaf = points.detach().requires_grad_()
        (slope,) = torch.autograd.grad(F.cross_entropy(net(leaf), labels, reduction="sum"), leaf)
        return slope

    return gradient


def graphed_gradient(net: nn.Module, points: Tensor, labels: Tensor) -> Gradient:
    """Return the gradient as one CUDA graph for batches of this shape; on a CPU the same buffers with no graph.

    The net must draw nothing: a graph would repeat its draws.
    """
    plain, still_points, still_labels = plain_gradient(net), points.clone(), labels.clone()
    graph: torch.cuda.CUDAGraph | None = None
    slope = plain(still_points, still_labels)
    if points.is_cuda:
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                plain(still_points, still_labels)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            slope = plain(still_points, still_labels)

    def gradient(points: Tensor, labels: Tensor) -> Tensor:
        still_points.copy_(points)
        still_labels.copy_(labels)
        if graph is None:
            return plain(still_points, still_labels)
        graph.replay()
        return slope.clone()

    return gradient


def ascent(gradient: Gradient, inputs: Tensor, labels: Tensor, *, steps: int, epsilon: float) -> Tensor:
    """Return the points of BIM with steps of epsilon / 4, (batch, *shape)."""
    points = inputs.clone()
    for _ in range(steps):
        points.add_(gradient(points, labels).sign(), alpha=epsilon / 4).clamp_(inputs - epsilon, inputs + epsilon).clamp_(0, 1)
    return points


def side_by_side_step(nets: Sequence[nn.Module], *, rate: float) -> Callable[[Tensor, Tensor], None]:
    """Return one step of SGD of all nets at once on the same batch, by batched kernels (`vmap`); the nets' own weights are not changed.

    Nets of one architecture without batch statistics: `vmap` cannot update these in place.
    """
    weights, buffers = stack_module_state(list(nets))  # type: ignore[arg-type]
    skeleton = nets[0]

    def loss(weights: dict[str, Tensor], buffers: dict[str, Tensor], inputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(skeleton, (weights, buffers), (inputs,)), labels)

    def step(inputs: Tensor, labels: Tensor) -> None:
        losses = vmap(loss, in_dims=(0, 0, None, None))(weights, buffers, inputs, labels)
        slopes = torch.autograd.grad(losses.sum(), list(weights.values()))
        with torch.no_grad():
            for weight, slope in zip(weights.values(), slopes, strict=True):
                weight.sub_(slope, alpha=rate)

    step.weights = weights  # type: ignore[attr-defined]
    return step


def one_by_one_step(nets: Sequence[nn.Module], *, rate: float) -> Callable[[Tensor, Tensor], None]:
    """Return one step of SGD of each net after the other."""

    def step(inputs: Tensor, labels: Tensor) -> None:
        for net in nets:
            weights = list(net.parameters())
            slopes = torch.autograd.grad(F.cross_entropy(net(inputs), labels), weights)
            with torch.no_grad():
                for weight, slope in zip(weights, slopes, strict=True):
                    weight.sub_(slope, alpha=rate)

    return step


def on_streams_step(nets: Sequence[nn.Module], *, rate: float) -> Callable[[Tensor, Tensor], None]:
    """Return one step of SGD of each net, on a CUDA stream of its own; on a CPU one after the other."""
    steps = [one_by_one_step([net], rate=rate) for net in nets]
    streams = [torch.cuda.Stream() for _ in nets] if next(nets[0].parameters()).is_cuda else []

    def step(inputs: Tensor, labels: Tensor) -> None:
        if not streams:
            for each in steps:
                each(inputs, labels)
            return
        for stream, each in zip(streams, steps, strict=True):
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                each(inputs, labels)
        for stream in streams:
            torch.cuda.current_stream().wait_stream(stream)

    return step
