"""Turn a network's convolutions into Tucker form."""

from torch import nn

from workers.fields import RankKind
from workers.layers import LatentSketch, TuckerConv, resolve_rank


def tensorize(network: nn.Module, *, rank_fraction: float, rank_kind: RankKind, first: bool, sketch: LatentSketch) -> None:
    """Replace every convolution of `network`, in place, by a Tucker convolution of the same geometry.

    Args:
        network: the network; its dense weights are dropped.
        rank_fraction: requested share in (0, 1], see `resolve_rank`.
        rank_kind: share of what.
        first: whether the first convolution, the one that sees the input, is replaced too.
        sketch: the sketch that the new layers share.

    Raises:
        ValueError: a convolution is grouped, or pads with anything but zeros.
    """
    convolutions = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Conv1d | nn.Conv2d)]
    for name, convolution in convolutions if first else convolutions[1:]:
        parent, _, child = name.rpartition(".")
        layer = _tucker_like(name, convolution, rank_fraction=rank_fraction, rank_kind=rank_kind, sketch=sketch)
        setattr(network.get_submodule(parent), child, layer)


def _tucker_like(
    name: str, convolution: nn.Conv1d | nn.Conv2d, *, rank_fraction: float, rank_kind: RankKind, sketch: LatentSketch
) -> TuckerConv:
    require_plain(name, convolution, purpose="tensorized")
    shape = tuple(convolution.weight.shape)
    return TuckerConv(
        shape,
        resolve_rank(shape, rank_fraction, kind=rank_kind),
        sketch=sketch,
        stride=convolution.stride,
        padding=convolution.padding,
        dilation=convolution.dilation,
        bias=convolution.bias is not None,
    )


def require_plain(name: str, convolution: nn.Conv1d | nn.Conv2d, *, purpose: str) -> None:
    """Check that a convolution can be `purpose` (tensorized, binary).

    Raises:
        ValueError: it is grouped, or pads with anything but zeros.
    """
    if convolution.groups != 1:
        raise ValueError(f"{name}: groups={convolution.groups}: only ungrouped convolutions can be {purpose}")
    if convolution.padding_mode != "zeros":
        raise ValueError(f"{name}: padding_mode={convolution.padding_mode!r}: only 'zeros' can be {purpose}")
