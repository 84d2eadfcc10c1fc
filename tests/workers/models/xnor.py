"""XNOR-Net's approximate convolution, written out: what binary layers are held against."""

import itertools
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

Geometry = Mapping[str, Sequence[int] | str]


def formula(inputs: Tensor, weights: Tensor, geometry: Geometry) -> Tensor:
    """XNOR-Net's sum, output by output and tap by tap; taps outside the input are left out.

    Args:
        inputs: (batch, channels, *spatial), float64.
        weights: the real kernel (filters, channels, *spatial), float64.
        geometry: stride, padding and dilation as a layer takes them.
    """
    spatial = weights.shape[2:]
    stride, padding, dilation = _per_dimension(geometry, len(spatial))
    sizes = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(inputs.shape[2:], spatial, stride, padding, dilation, strict=True)
    ]
    outputs = torch.zeros(len(inputs), len(weights), *sizes, dtype=torch.float64)
    for place in itertools.product(*map(range, sizes)):
        signs = torch.zeros(len(inputs), len(weights), dtype=torch.float64)
        magnitude = torch.zeros(len(inputs), dtype=torch.float64)
        for tap in itertools.product(*map(range, spatial)):
            at = [o * s - p + t * d for o, s, p, t, d in zip(place, stride, padding, tap, dilation, strict=True)]
            if all(0 <= position < size for position, size in zip(at, inputs.shape[2:], strict=True)):
                values, taps = inputs[(..., *at)], weights[(..., *tap)]
                signs += torch.where(values >= 0, 1.0, -1.0).double() @ torch.where(taps >= 0, 1.0, -1.0).double().T
                magnitude += values.abs().mean(dim=1) / math.prod(spatial)
        outputs[(..., *place)] = signs * magnitude[:, None] * weights.abs().flatten(1).mean(dim=1)
    return outputs


def _per_dimension(geometry: Geometry, order: int) -> list[list[int]]:
    found = [list(geometry.get(name, (default,))) for name, default in (("stride", 1), ("padding", 0), ("dilation", 1))]
    found[1] = [1] if geometry.get("padding") == "same" else found[1]
    return [value * order if len(value) == 1 else value for value in found]
