"""The layers of a network that can be tensorized, and the reasons why others stay dense."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

TAKES_THE_INPUT = "takes the input (tensorize_first: false)"
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED)


@dataclass(frozen=True)
class LayerChoice:
    """One layer of a network, and what becomes of it: a layer in factors, or (with a `reason`) the dense layer that it is.

    `names` are all the places where the network has it, the first one its name; `shape` is its kernel's (None: it has none of its own).
    """

    names: tuple[str, ...]
    layer: nn.Module
    reason: str = ""

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def is_convolution(self) -> bool:
        return isinstance(self.layer, _CONVOLUTIONS)

    @property
    def shape(self) -> tuple[int, ...] | None:
        weight = getattr(self.layer, "weight", None)
        return tuple(weight.shape) if isinstance(weight, Tensor) else None


def layer_choices(network: nn.Module, *, first: bool, linear: bool) -> list[LayerChoice]:
    """Return what becomes of each convolution, linear layer and attention of a network, the convolutions first.

    Args:
        network: any network of PyTorch's own layers.
        first: true to tensorize the first convolution, which takes the input, too.
        linear: true to tensorize linear layers too.
    """
    places: dict[nn.Module, list[str]] = {}
    for name, module in network.named_modules(remove_duplicate=False):
        if isinstance(module, (*_CONVOLUTIONS, nn.Linear, nn.MultiheadAttention)):
            places.setdefault(module, []).append(name)
    layers = sorted(places, key=lambda layer: not isinstance(layer, _CONVOLUTIONS))
    inside, shared = _read_by_others(network), _shared_weights(network)
    of_input = next((layer for layer in layers if isinstance(layer, _CONVOLUTIONS)), None)
    reasons = {layer: unfit(layer) or inside.get(layer) or shared.get(layer) or "" for layer in layers}
    if of_input is not None and not first:
        reasons[of_input] = TAKES_THE_INPUT
    for layer in layers:
        if isinstance(layer, nn.Linear) and not linear:
            reasons[layer] = "linear (tensorize_linear: false)"
    return [LayerChoice(tuple(places[layer]), layer, reasons[layer]) for layer in layers]


def unfit(layer: nn.Module) -> str | None:
    """Return the reason why a layer by itself cannot be stored in factors; None where it can."""
    if isinstance(layer, _TRANSPOSED):
        return f"a transposed convolution ({type(layer).__name__})"
    if not isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
        attention = isinstance(layer, nn.MultiheadAttention)
        return f"a {type(layer).__name__}" + (", which holds its projections as one parameter (in_proj_weight)" if attention else "")
    if not _computes_as(layer):
        return f"a {type(layer).__name__}, whose forward pass is its own"
    if layer._forward_pre_hooks or layer._forward_hooks or parametrize.is_parametrized(layer):
        return "a layer whose weight or output is changed by a hook or a parametrization"
    return None if isinstance(layer, nn.Linear) else _unfit_geometry(layer)


def _unfit_geometry(layer: nn.Conv1d | nn.Conv2d) -> str | None:
    if layer.groups != 1:
        return f"a {'depthwise ' if layer.groups == layer.in_channels else ''}convolution with groups={layer.groups}"
    return None if layer.padding_mode == "zeros" else f"a convolution with padding_mode={layer.padding_mode!r}"


def _computes_as(layer: nn.Conv1d | nn.Conv2d | nn.Linear) -> bool:
    """Tell whether a layer computes as PyTorch's own one, which it may be derived from."""
    own: Any = next(kind for kind in (nn.Conv1d, nn.Conv2d, nn.Linear) if isinstance(layer, kind))
    methods = ("forward", "_conv_forward")
    return all(getattr(type(layer), name, None) is getattr(own, name, None) for name in methods)


def _read_by_others(network: nn.Module) -> dict[nn.Module, str]:
    """The layers whose weights another module's forward pass reads itself, each with the reason to keep it dense."""
    readers = (nn.MultiheadAttention, nn.TransformerEncoderLayer)
    return {
        inner: f"its weight is read by a {type(module).__name__}"
        for module in network.modules()
        if isinstance(module, readers)
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
