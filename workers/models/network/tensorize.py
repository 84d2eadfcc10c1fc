"""Conversion of a network's convolutions and linear layers to layers in factors, and of
convolutions to binary ones."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from workers.layers import (
    BinaryConv,
    CPLayer,
    DenseKernel,
    Execution,
    LatentLayer,
    LatentSketch,
    SignGradient,
    TensorTrainLayer,
    Transposed,
    TransposedCPLayer,
    TransposedTensorTrainLayer,
    TransposedTuckerLayer,
    TuckerLayer,
    cheaper_execution,
    resolve_rank,
)
from workers.models.network.layer_choice import (
    TAKES_THE_INPUT,
    TRANSPOSED,
    LayerChoice,
    LayerKinds,
    dense_kernel,
    layer_choices,
    unfit,
)
from workers.spec.fields import ExecutionChoice, Factorization, Initialisation, RankKind

_LAYERS: dict[tuple[Factorization, bool], type[CPLayer | TensorTrainLayer | TuckerLayer]] = {
    ("cp", False): CPLayer,
    ("cp", True): TransposedCPLayer,
    ("tt", False): TensorTrainLayer,
    ("tt", True): TransposedTensorTrainLayer,
    ("tucker", False): TuckerLayer,
    ("tucker", True): TransposedTuckerLayer,
}
"""The layers in factors by their form, and whether they are transposed convolutions."""


@dataclass(frozen=True, kw_only=True)
class Tensorization(LayerKinds):
    """Settings of tensorization, among them the kinds of layers that are replaced in addition to convolutions.

    Args:
        rank_fraction: requested share in (0, 1], see `resolve_rank`.
        rank_kind: reference of the share, see `resolve_rank`.
        factorization: the form of the new kernels.
        fractions: the shares of layers that have one of their own, by name.
        grouped: treatment of a 1-d or 2-d convolution that cannot be tensorized (grouped, say, see `unfit`): `refuse`, or `keep` it dense.
        execution: `auto` takes the cheaper one for each layer (see `cheaper_execution`).
        init: `decompose` starts from the dense layer's weights, `random` from new ones, which the caller must draw.
    """

    rank_fraction: float
    fractions: Mapping[str, float] = field(default_factory=dict)
    rank_kind: RankKind = "channels"
    factorization: Factorization = "tucker"
    grouped: Literal["keep", "refuse"] = "refuse"
    execution: ExecutionChoice = "auto"
    init: Initialisation = "random"


def tensorize(
    network: nn.Module, settings: Tensorization, *, sketch: LatentSketch, input_shape: Sequence[int] | None = None
) -> dict[str, LatentLayer]:
    """Replace the convolutions of `network`, in place, by layers in factors of the same geometry; return the new layers by name.

    A layer that the network has in several places becomes one new layer in all of them.

    Args:
        network: any network of PyTorch's own layers.
        settings: ranks, choice of layers, execution, initial weights.
        sketch: the sketch that the new layers share.
        input_shape: of one example, without the batch; gives `auto` the size of each layer's inputs.

    Raises:
        ValueError: a convolution cannot be tensorized and `settings.grouped` is `refuse`; the message names it.
    """
    chosen = layer_choices(network, settings)
    if settings.grouped == "refuse":
        _require_all_fit(chosen)
    positions = _positions(network, input_shape) if input_shape is not None and settings.execution == "auto" else {}
    layers = {}
    for choice in chosen:
        if choice.reason:
            continue
        fraction = settings.fractions.get(choice.name, settings.rank_fraction)
        layer = _factored(choice.layer, settings, fraction=fraction, sketch=sketch, positions=positions.get(choice.name))
        for name in choice.names:
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, layer)
        layers[choice.name] = layer
    return layers


def _require_all_fit(chosen: Sequence[LayerChoice]) -> None:
    refused = [
        choice
        for choice in chosen
        if isinstance(choice.layer, nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d) and unfit(choice.layer)
    ]
    refused = [choice for choice in refused if choice.reason != TAKES_THE_INPUT]
    if refused:
        name, reason = refused[0].name, refused[0].reason
        raise ValueError(f"{name}: {reason} cannot be tensorized ({len(refused)} such layers; grouped='keep' leaves them dense)")


def _factored(dense: Any, settings: Tensorization, *, fraction: float, sketch: LatentSketch, positions: int | None) -> LatentLayer:
    """Return the layer in factors in place of a convolution, transposed or not, or of a linear layer."""
    kernel, transposed = dense_kernel(dense), isinstance(dense, TRANSPOSED)
    rank = resolve_rank(kernel.shape, fraction, kind=settings.rank_kind, factorization=settings.factorization)
    names = () if isinstance(dense, nn.Linear) else ("stride", "padding", "dilation", *(("output_padding",) if transposed else ()))
    geometry = {name: getattr(dense, name) for name in names}
    execution: Execution | None = None if settings.execution == "auto" else settings.execution
    if execution is None:
        stride = math.prod(geometry.get("stride", ()))
        form = settings.factorization
        execution = cheaper_execution(kernel.shape, rank, factorization=form, stride=stride, positions_in=positions, transposed=transposed)
    made = _LAYERS[settings.factorization, transposed]
    layer = made(tuple(kernel.shape), rank, sketch=sketch, execution=execution, bias=dense.bias is not None, **geometry)
    if settings.init == "decompose":
        layer.kernel.decompose(kernel)
        if layer.bias is not None:
            layer.bias.data.copy_(dense.bias.data)
    return layer


def _positions(network: nn.Module, input_shape: Sequence[int]) -> dict[str, int]:
    """Return each convolution's number of input positions (height times width), by a pass of one black example; nothing of a network
    that fails it. (The meta device would need no computation, but a second of imports.)"""
    ghost = copy.deepcopy(network).eval()
    found: dict[str, int] = {}
    for name, module in ghost.named_modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, *TRANSPOSED)):
            module.register_forward_pre_hook(_noting(name, found))
    device = next((parameter.device for parameter in ghost.parameters()), torch.device("cpu"))
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            ghost(torch.zeros((1, *input_shape), device=device))
    except Exception:  # of any net: what is wrong with it is found out when it runs
        return {}
    return found


def _noting(name: str, found: dict[str, int]) -> Any:
    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:  # noqa: ARG001
        found[name] = math.prod(inputs[0].shape[2:])

    return note


_LINEAR_ORDER = 2


def binarize(network: nn.Module, *, signs: SignGradient) -> None:
    """Replace every convolution of `network` but the first, in place, by a binary one of the same geometry (XNOR-Net, section 4).

    A convolution in factors keeps its kernel, sketch included; the weights of a dense one are dropped. Linear layers and transposed
    convolutions are unchanged.

    Args:
        network: the network, tensorized or not, its blocks in the order of binary ones.
        signs: gradient of the sign, shared by the new layers.

    Raises:
        ValueError: a convolution is grouped, or pads with anything but zeros.
    """
    for name, convolution in made_binary(network):
        parent, _, child = name.rpartition(".")
        setattr(network.get_submodule(parent), child, _binary_like(name, convolution, signs))


def made_binary(network: nn.Module) -> list[tuple[str, Any]]:
    """Return the convolutions of a network that `binarize` replaces, by name."""
    convolutions = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv1d | nn.Conv2d) or _is_plain_convolution(module)
    ]
    return convolutions[1:]


def _is_plain_convolution(module: nn.Module) -> bool:
    """Tell whether a module is a convolution in factors, and not a transposed one."""
    return isinstance(module, LatentLayer) and not isinstance(module, Transposed) and len(module.kernel.shape) > _LINEAR_ORDER


def _binary_like(name: str, convolution: nn.Conv1d | nn.Conv2d | LatentLayer, signs: SignGradient) -> BinaryConv:
    if not isinstance(convolution, LatentLayer):
        reason = unfit(convolution)
        if reason is not None:
            raise ValueError(f"{name}: {reason} cannot be made binary")
    return BinaryConv(
        convolution.kernel if isinstance(convolution, LatentLayer) else DenseKernel(convolution.weight.shape),
        signs=signs,
        stride=convolution.stride,
        padding=convolution.padding,
        dilation=convolution.dilation,
        bias=convolution.bias is not None,
    )
