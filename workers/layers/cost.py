"""Cost model of the two executions of a layer in factors, to choose the cheaper one when the layer is made."""

import math
from collections.abc import Sequence
from typing import Literal

from workers.spec.fields import Factorization

Execution = Literal["reconstruct", "factorized"]

# Fitted to training steps of 156 layers (widths 16 and 64, batches 32 and 128, ranks 1/4 to 1) of ResNet-18 on two x86 cores, in units of
# one multiply-accumulate (MAC) of a 3x3 convolution. A constant model, not a timing: the choice must be the same in every run (other
# numbers here change results in the last bits: raise KEY_VERSION when changing them).
_POINTWISE_MAC = 0.7
_BUILD_MAC = 3.0
_CHAIN_BUILD_MAC = 4.5
_ACTIVATION = 90.0
_KERNEL_ELEMENT = 220.0
_CALL = 4.6e6
_DEPTHWISE_MAC = 3.0
_BATCH, _POSITIONS = 128, 16 * 16


def cheaper_execution(
    shape: Sequence[int],
    rank: Sequence[int],
    *,
    factorization: Factorization = "tucker",
    stride: int = 1,
    positions_in: int | None = None,
    batch: int = _BATCH,
    transposed: bool = False,
) -> Execution:
    """Choose `reconstruct` (build the kernel once a batch, then convolve) or `factorized` (the chain through the latent) by cost.

    Args:
        shape: the kernel's shape (filters, channels, *spatial).
        rank: its rank in that form (see `resolve_rank`).
        factorization: the form that it is stored in.
        stride: product of the strides.
        positions_in: input positions per example (height times width); that of a typical layer where it is not known.
        batch: examples per forward pass.
        transposed: true for a transposed convolution, of as many multiplications per input position as another one has per output
            position.
    """
    points_in = batch * (positions_in or _POSITIONS)
    points_out = points_in * stride if transposed else max(1, points_in // stride)
    if factorization == "cp":
        rebuilt, chained = _cp_reconstruct, _cp_factorized
    else:
        rebuilt, chained = _reconstruct, _factorized
        rank = (rank[-1], rank[0]) if factorization == "tt" else rank  # its chain is that of a core between its outermost bonds
    costs: dict[Execution, float] = {
        "reconstruct": rebuilt(shape, rank, points_in, points_out),
        "factorized": chained(shape, rank, points_in, points_out),
    }
    return min(costs, key=lambda execution: costs[execution])


def _reconstruct(shape: Sequence[int], rank: Sequence[int], points_in: int, points_out: int) -> float:
    filters, channels, *spatial = shape
    taps = math.prod(spatial)
    build = rank[0] * rank[1] * taps * channels + rank[0] * channels * taps * filters
    elements = (filters + rank[0]) * channels * taps
    return _dense(shape, points_in, points_out) + _BUILD_MAC * build + _KERNEL_ELEMENT * elements + _CALL


def _cp_reconstruct(shape: Sequence[int], rank: Sequence[int], points_in: int, points_out: int) -> float:
    filters, channels, *spatial = shape
    column = channels * math.prod(spatial)
    elements = (filters + rank[0]) * column
    return _dense(shape, points_in, points_out) + _BUILD_MAC * filters * rank[0] * column + _KERNEL_ELEMENT * elements + _CALL


def _cp_factorized(shape: Sequence[int], rank: Sequence[int], points_in: int, points_out: int) -> float:
    filters, channels, *spatial = shape
    taps = math.prod(spatial)
    pointwise = (min(points_in, points_out) if taps == 1 else points_in) * channels * rank[0] + points_out * rank[0] * filters
    activations = points_in * channels + points_out * filters
    if taps == 1 and points_out <= points_in:
        return _POINTWISE_MAC * pointwise + _ACTIVATION * activations + 2 * _CALL
    activations += 2 * points_in * rank[0] + 2 * points_out * rank[0]
    return _POINTWISE_MAC * pointwise + _DEPTHWISE_MAC * min(points_in, points_out) * rank[0] * taps + _ACTIVATION * activations + 3 * _CALL


def _dense(shape: Sequence[int], points_in: int, points_out: int) -> float:
    filters, channels, *spatial = shape
    taps = math.prod(spatial)
    convolution = min(points_in, points_out) * filters * channels * taps * (1.0 if taps > 1 else _POINTWISE_MAC)
    return convolution + _ACTIVATION * (points_in * channels + points_out * filters)


def _factorized(shape: Sequence[int], rank: Sequence[int], points_in: int, points_out: int) -> float:
    filters, channels, *spatial = shape
    taps = math.prod(spatial)
    activations = points_in * channels + points_out * filters
    if taps == 1 and points_out <= points_in:
        pointwise = points_out * (channels * rank[1] + rank[1] * filters)
        build = filters * rank[0] * rank[1]
        return _POINTWISE_MAC * pointwise + _ACTIVATION * activations + _CHAIN_BUILD_MAC * build + 2 * _CALL
    core = min(points_in, points_out) * rank[0] * rank[1] * taps
    pointwise = points_in * channels * rank[1] + points_out * rank[0] * filters
    activations += 2 * points_in * rank[1] + 2 * points_out * rank[0]
    build = rank[0] * rank[1] * taps * sum(spatial)
    return core + _POINTWISE_MAC * pointwise + _ACTIVATION * activations + _BUILD_MAC * build + 3 * _CALL
