"""Conversion of a network's convolutions to binary ones."""

from torch import nn

from workers.layers import BinaryConv, DenseKernel, SignGradient, TuckerLayer
from workers.models.network.tensorize import unfit

_LINEAR_ORDER = 2


def binarize(network: nn.Module, *, signs: SignGradient) -> None:
    """Replace every convolution of `network` but the first, in place, by a binary one of the same geometry (XNOR-Net, section 4).

    A Tucker convolution keeps its kernel, sketch included; the weights of a dense one are dropped. Linear layers are unchanged.

    Args:
        network: the network, tensorized or not, its blocks in the order of binary ones.
        signs: gradient of the sign, shared by the new layers.

    Raises:
        ValueError: a convolution is grouped, or pads with anything but zeros.
    """
    convolutions = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv1d | nn.Conv2d) or (isinstance(module, TuckerLayer) and len(module.kernel.shape) > _LINEAR_ORDER)
    ]
    for name, convolution in convolutions[1:]:
        parent, _, child = name.rpartition(".")
        setattr(network.get_submodule(parent), child, _binary_like(name, convolution, signs))


def _binary_like(name: str, convolution: nn.Conv1d | nn.Conv2d | TuckerLayer, signs: SignGradient) -> BinaryConv:
    if not isinstance(convolution, TuckerLayer):
        reason = unfit(convolution)
        if reason is not None:
            raise ValueError(f"{name}: {reason} cannot be made binary")
    return BinaryConv(
        convolution.kernel if isinstance(convolution, TuckerLayer) else DenseKernel(convolution.weight.shape),
        signs=signs,
        stride=convolution.stride,
        padding=convolution.padding,
        dilation=convolution.dilation,
        bias=convolution.bias is not None,
    )
