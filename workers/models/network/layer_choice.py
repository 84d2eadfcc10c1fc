"""The layers of a network that can be tensorized, and the reasons why others stay dense."""

from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from workers.layers import ProjectedAttention

TAKES_THE_INPUT = "takes the input (tensorize_first: false)"
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d)
_FIT = (nn.Conv1d, nn.Conv2d, *TRANSPOSED, nn.Linear)
_CONVOLUTIONS = (*_FIT[:-1], nn.Conv3d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class LayerChoice:
    """One layer of a network, and what becomes of it: a layer in factors, or (with a `reason`) the dense layer that it is.

    `names` are all the places where the network has it, the first one its name; `shape` is its kernel's, filters first (None: it has
    none of its own).
    """

    names: tuple[str, ...]
    layer: nn.Module
    reason: str = ""

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def shape(self) -> tuple[int, ...] | None:
        weight = getattr(self.layer, "weight", None)
        return None if weight is None or is_lazy(weight) else tuple(dense_kernel(self.layer).shape)


def dense_kernel(layer: nn.Module) -> Tensor:
    """Return the weight of a convolution or linear layer as a kernel (filters, channels, *spatial)."""
    weight: Tensor = layer.weight  # type: ignore[assignment]
    return weight.transpose(0, 1) if isinstance(layer, TRANSPOSED) else weight


@dataclass(frozen=True)
class LayerKinds:
    """The kinds of layers to tensorize in addition to convolutions: the `first` convolution, which takes the input, `linear` layers,
    the projections of `nn.MultiheadAttention` (`attention`), `transposed` convolutions."""

    first: bool = False
    linear: bool = False
    transposed: bool = False
    attention: bool = False


KINDS = tuple(found.name for found in fields(LayerKinds))
"""The names of these kinds; that of attentions is the last one, as asking for it changes a network."""


def layer_choices(network: nn.Module, wanted: LayerKinds) -> list[LayerChoice]:
    """Return what becomes of each convolution, linear layer and attention of a network, the convolutions first.

    Args:
        network: any network of PyTorch's own layers; where attentions are wanted theirs become linear layers, in place.
        wanted: the kinds of layers to tensorize.
    """
    if wanted.attention:
        _project_attention(network)
    places: dict[nn.Module, list[str]] = {}
    for name, module in network.named_modules(remove_duplicate=False):
        if isinstance(module, (*_CONVOLUTIONS, nn.Linear, nn.MultiheadAttention)):
            places.setdefault(module, []).append(name)
    layers = sorted(places, key=lambda layer: not isinstance(layer, _CONVOLUTIONS))
    inside, shared = _read_by_others(network), _shared_weights(network)
    of_input = next((layer for layer in layers if isinstance(layer, _CONVOLUTIONS)), None)
    reasons = {layer: unfit(layer) or inside.get(layer) or shared.get(layer) or "" for layer in layers}
    if of_input is not None and not wanted.first:
        reasons[of_input] = TAKES_THE_INPUT
    projections = {layer for module in network.modules() if isinstance(module, ProjectedAttention) for layer in module.children()}
    for layer in layers:
        reasons[layer] = (None if layer in projections else _unwanted(layer, wanted)) or reasons[layer]
    return [LayerChoice(tuple(places[layer]), layer, reasons[layer]) for layer in layers]


def _project_attention(network: nn.Module) -> None:
    """Replace every `nn.MultiheadAttention` that computes as PyTorch's own, in place, by one whose projections are linear layers."""
    made: dict[nn.Module, ProjectedAttention] = {}
    for name, module in list(network.named_modules(remove_duplicate=False)):
        if name and isinstance(module, nn.MultiheadAttention) and _unfit_attention(module) is None:
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, made.setdefault(module, ProjectedAttention(module)))
    for module in network.modules():
        if isinstance(module, nn.TransformerEncoder):  # nested tensors are for PyTorch's own attention alone
            module.use_nested_tensor = False


def unfit(layer: nn.Module) -> str | None:
    """Return the reason why a layer by itself cannot be stored in factors; None where it can."""
    if isinstance(layer, nn.MultiheadAttention):
        return _unfit_attention(layer)
    if not isinstance(layer, _FIT):
        return f"a {type(layer).__name__}"
    if not _computes_as(layer):
        return f"a {type(layer).__name__}, whose forward pass is its own"
    if is_lazy(layer.weight):
        return f"a {type(layer).__name__}, whose weight its first forward pass makes"
    if layer._forward_pre_hooks or layer._forward_hooks or parametrize.is_parametrized(layer):
        return "a layer whose weight or output is changed by a hook or a parametrization"
    return None if isinstance(layer, nn.Linear) else _unfit_geometry(layer)


def _unwanted(layer: nn.Module, wanted: LayerKinds) -> str | None:
    """Return the setting by which a layer is not tensorized; None where there is none."""
    if isinstance(layer, nn.Linear) and not wanted.linear:
        return "linear (tensorize_linear: false)"
    if isinstance(layer, nn.MultiheadAttention) and not wanted.attention:
        return "attention, which holds its projections as one parameter (tensorize_attention: false)"
    return "a transposed convolution (tensorize_transposed: false)" if isinstance(layer, TRANSPOSED) and not wanted.transposed else None


def _unfit_attention(layer: nn.MultiheadAttention) -> str | None:
    if type(layer).forward is not nn.MultiheadAttention.forward:
        return f"a {type(layer).__name__}, whose forward pass is its own"
    if layer._forward_pre_hooks or layer._forward_hooks or any(map(parametrize.is_parametrized, layer.modules())):
        return "an attention whose weights or output are changed by a hook or a parametrization"
    return "an attention with add_bias_kv or add_zero_attn" if layer.bias_k is not None or layer.add_zero_attn else None


def _unfit_geometry(layer: nn.Module) -> str | None:
    if layer.groups != 1:
        return f"a {'depthwise ' if layer.groups == layer.in_channels else ''}convolution with groups={layer.groups}"
    return None if layer.padding_mode == "zeros" else f"a convolution with padding_mode={layer.padding_mode!r}"


def _computes_as(layer: nn.Module) -> bool:
    """Tell whether a layer computes as PyTorch's own one, which it may be derived from."""
    own: Any = next(kind for kind in _FIT if isinstance(layer, kind))
    methods = ("forward", "_conv_forward")
    return all(getattr(type(layer), name, None) is getattr(own, name, None) for name in methods)


def _read_by_others(network: nn.Module) -> dict[nn.Module, str]:
    """The layers whose weights another module's forward pass reads itself, each with the reason to keep it dense."""
    return {
        inner: f"its weight is read by a {type(module).__name__}"
        for module in network.modules()
        if isinstance(module, nn.MultiheadAttention)
        or (isinstance(module, nn.TransformerEncoderLayer) and isinstance(module.self_attn, nn.MultiheadAttention))
        for inner in module.modules()
        if inner is not module
    }


def _shared_weights(network: nn.Module) -> dict[nn.Module, str]:
    """The layers whose weight is another module's parameter too, each with the reason to keep it dense."""
    owners: dict[int, list[tuple[str, nn.Module]]] = {}
    for name, module in network.named_modules():
        for parameter in module.parameters(recurse=False):
            owners.setdefault(id(parameter), []).append((name, module))
    found = {}
    for holders in owners.values():
        for _, module in holders if len(holders) > 1 else ():
            other = next(name for name, holder in holders if holder is not module)
            found[module] = f"its weight is that of {other} too"
    return found
