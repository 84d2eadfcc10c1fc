"""Training on CPUs where oneDNN's convolutions write past their buffers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

_KERNEL_DIMENSIONS = 4
_BLOCK = 8


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

    oneDNN 3.10 (torch 2.11) does so on CPUs with AVX2 and without AVX-512, where it computes the gradient of the weights of a 1x1
    convolution that has a stride and fewer than 8 input channels, with channels last in memory (as inputs or Tucker kernels have them).
    """
    return torch.backends.cpu.get_cpu_capability() == "AVX2" and any(map(_is_narrow_and_strided, network.modules()))


def _is_narrow_and_strided(module: nn.Module) -> bool:
    # A Tucker layer makes its weight when asked, under a draw.
    kernel = module.kernel if hasattr(module, "kernel") else getattr(module, "weight", None)
    shape = tuple(getattr(kernel, "shape", ()))
    narrow = len(shape) == _KERNEL_DIMENSIONS and shape[1] < _BLOCK and set(shape[2:]) == {1}
    return narrow and getattr(module, "stride", 1) not in (1, (1, 1))
