"""Processes that share a training: each computes its part of every pass through the network, and all the rest of the training alike.

Every process has the whole batch, and draws whatever is drawn for the whole of it; the network alone sees a part. Logits, the gradients of
inputs and those of weights are put together again from all parts, so that losses, attacks, weight perturbation, clipping and the optimiser
compute in every process what one process would, up to rounding in the sums over parts.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist
from torch.nn.modules.batchnorm import _BatchNorm

from workers.errors import JobError
from workers.layers.activation_checkpointing import NetworkPart
from workers.models.network import Network


@dataclass(frozen=True)
class TrainingProcess:
    """Process `rank` of `size`. One alone, the default, leaves everything as it is; several have initialised `torch.distributed`."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """True in the process that saves and reports."""
        return self.rank == 0

    def divided(self, network: Network) -> Callable[[Tensor], Tensor]:
        """Return the network as a function, inputs (batch, *shape) to logits (batch, n_classes), of which each process computes a part.

        An input's gradient is whole in every process. A batch of fewer examples than processes is computed by each.
        """
        return network if self.size == 1 else partial(_divided, network, self)

    def once(self, term: Tensor) -> Tensor:
        """Return a term of the loss that every process computes alike, with the share of its gradient that one of them is to add."""
        return term if self.size == 1 else term / self.size + (term - term / self.size).detach()

    @contextmanager
    def summed(self, network: Network) -> Iterator[None]:
        """Inside, gradients of weights are sums over all processes, and in training mode batch-norm statistics are of the whole batch."""
        if self.size == 1:
            yield
            return
        hooks = [parameter.register_hook(_sum) for parameter in network.parameters() if parameter.requires_grad]
        norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
        for norm in norms:
            norm.forward = partial(_batch_norm, norm)  # type: ignore[method-assign]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            for norm in norms:
                del norm.forward

    def require_alike(self, number: int) -> None:
        """Check that all processes resume from the same epoch.

        Raises:
            JobError: they do not.
        """
        if self.size == 1:
            return
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, number)
        if len(set(found)) > 1:
            raise JobError(f"the processes of the training found checkpoints of different epochs: {found}")

    def place(self, count: int) -> slice:
        """Return the place of this process's examples among so many."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)


ALONE = TrainingProcess()


def _divided(network: Network, group: TrainingProcess, inputs: Tensor) -> Tensor:
    count = len(inputs)
    if count < group.size:
        alone: Tensor = network(inputs)
        return alone
    part = NetworkPart(count, group.place(count))
    logits = network.of_part(_applied(_Scattered, inputs, part.place), part)
    return _applied(_Gathered, logits, part.place, count)


def _applied(function: type[torch.autograd.Function], *given: Any) -> Tensor:
    result: Tensor = function.apply(*given)
    return result


def _sum(values: Tensor) -> Tensor:
    """Return the sum of the processes' tensors, the same bits in each."""
    summed = values.detach().contiguous().clone()
    dist.all_reduce(summed)
    return summed


def _whole(part: Tensor, place: slice, count: int) -> Tensor:
    """Return the rows of all processes, each with those at its place."""
    whole = part.new_zeros((count, *part.shape[1:]))
    whole[place] = part
    dist.all_reduce(whole)
    return whole


def _single(values: Tensor) -> Tensor:
    """Return the values in single precision, doubles as they are."""
    return values if values.dtype == torch.float64 else values.float()


class _Scattered(torch.autograd.Function):
    """This process's rows of inputs; their gradient is that of all rows."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, place: slice) -> Tensor:
        ctx.place, ctx.count = place, len(inputs)
        return inputs[place].clone()

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return _whole(slopes[0], ctx.place, ctx.count), None


class _Gathered(torch.autograd.Function):
    """The rows of all processes; the gradient, which all compute alike from there on, is that of this process's rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, place: slice, count: int) -> Tensor:
        ctx.place = place
        return _whole(_single(rows), place, count)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None]:
        return slopes[0][ctx.place], None, None


class _Summed(torch.autograd.Function):
    """Sum over the processes, each of which uses it: so its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ARG004 (autograd's signature)
        return _sum(values)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:  # noqa: ARG004
        return _sum(slopes[0])


def _batch_norm(norm: _BatchNorm, inputs: Tensor) -> Tensor:
    """Normalise by the statistics of all processes' inputs, (examples, channels, ...), as batch norm over the whole batch does
    (`SyncBatchNorm`, which PyTorch has for GPUs alone)."""
    if not norm.training and norm.running_mean is not None:
        usual: Tensor = type(norm).forward(norm, inputs)
        return usual
    dims = [dim for dim in range(inputs.dim()) if dim != 1]
    shape = [1, -1, *[1] * (inputs.dim() - 2)]
    values = _single(inputs)
    count = _sum(values.new_tensor(values.numel() / values.shape[1]))
    mean = _applied(_Summed, values.sum(dims)) / count
    centred = values - mean.view(shape)
    variance = _applied(_Summed, centred.square().sum(dims)) / count
    _keep_statistics(norm, mean.detach(), variance.detach() * count / (count - 1))
    scaled = centred * (variance + norm.eps).rsqrt().view(shape)
    if norm.affine:
        scaled = scaled * norm.weight.view(shape) + norm.bias.view(shape)
    return scaled.to(inputs.dtype)


@torch.no_grad()
def _keep_statistics(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Move the running statistics as batch norm does."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean, share)
    norm.running_var.lerp_(variance, share)
