"""Training on CPUs where oneDNN's convolutions write past their buffers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

_KERNEL_DIMENSIONS = 4
_BLOCKS = {"AVX2": 8, "AVX512": 16}
"""Channels that oneDNN takes at a time, by the CPU's vectors."""


@contextmanager
def safe_convolutions(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Within it the network can be trained on this device: where oneDNN would corrupt memory, PyTorch's own convolutions are used."""
    onednn: Any = torch.backends.mkldnn
    before = onednn.enabled
    onednn.enabled = before and not (device.type == "cpu" and is_corrupting(network))
    try:
        yield
    finally:
        onednn.enabled = before


def is_corrupting(network: nn.Module) -> bool:
    """Tell whether oneDNN would write past its buffers on this CPU while the network is trained, which ends the process sooner or later.

    oneDNN 3.10 (torch 2.11) does so where it computes the gradient of the weights of a 1x1 convolution that has a stride and fewer input
    channels than it takes at a time (with AVX2 8, with AVX-512 16), with channels last in memory (as inputs or Tucker kernels have them).
    """
    block = _BLOCKS.get(torch.backends.cpu.get_cpu_capability(), 0)
    return any(_is_narrow_and_strided(module, block) for module in network.modules())


def _is_narrow_and_strided(module: nn.Module, block: int) -> bool:
    # A Tucker layer makes its weight when asked, under a draw.
    kernel = module.kernel if hasattr(module, "kernel") else getattr(module, "weight", None)
    shape = tuple(getattr(kernel, "shape", ()))
    narrow = len(shape) == _KERNEL_DIMENSIONS and shape[1] < block and set(shape[2:]) == {1}
    return narrow and getattr(module, "stride", 1) not in (1, (1, 1))
