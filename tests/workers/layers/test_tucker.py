import math

import numpy as np
import pytest
import tensorly
import torch
from hypothesis import given
from hypothesis import strategies as st
from tensorly.tucker_tensor import validate_tucker_rank
from torch.nn import functional as F  # noqa: N812

from tests.workers.small import CPU, generator
from workers.layers import LatentSketch, TuckerKernel, TuckerLayer, mode_product, resolve_rank
from workers.layers.kernel import kernel_of

KERNELS = [((7, 5), (3, 4)), ((7, 5, 4), (3, 5, 2)), ((7, 5, 3, 3), (4, 2, 3, 2))]
SHAPES = st.lists(st.integers(1, 12), min_size=2, max_size=4)
FRACTIONS = st.floats(0.01, 1)


def kernel(shape, rank, *, theta=1.0, modes="all", rescale=True):
    sketch = LatentSketch(theta=theta, modes=modes, rescale=rescale)
    sketch.generator = generator(5)
    built = TuckerKernel(shape, rank, sketch=sketch).double().requires_grad_(False)
    built.initialise(generator(1))
    return built


def arrays(built):
    return built.core.numpy(), [factor.numpy() for factor in built.factors]


@pytest.mark.parametrize(("shape", "rank"), KERNELS)
def test_kernels_of_every_order_agree_with_tensorly(shape, rank):
    built = kernel(shape, rank)
    assert built().shape == shape
    np.testing.assert_allclose(built().numpy(), tensorly.tucker_to_tensor(arrays(built)), rtol=0, atol=1e-14)


@pytest.mark.parametrize("mode", range(4))
def test_mode_product_agrees_with_tensorly(mode):
    tensor = torch.randn(4, 3, 5, 2, generator=generator(), dtype=torch.float64)
    matrix = torch.randn(6, tensor.shape[mode], generator=generator(1), dtype=torch.float64)
    expected = tensorly.tenalg.mode_dot(tensor.numpy(), matrix.numpy(), mode)
    np.testing.assert_allclose(mode_product(tensor, matrix, mode=mode).numpy(), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("shape", "rank", "size", "geometry"),
    [
        ((6, 4, 5), (3, 4, 2), (20,), {}),
        ((6, 4, 5), (3, 4, 2), (20,), {"stride": (2,), "padding": (3,), "dilation": (2,)}),
        ((6, 4, 3, 3), (3, 2, 3, 2), (9, 8), {"padding": (1,)}),
        ((6, 4, 3, 3), (3, 2, 3, 2), (9, 8), {"stride": (2, 1), "padding": (0, 2), "dilation": (1, 2)}),
        ((6, 4, 1, 1), (6, 4, 1, 1), (9, 8), {"stride": (2, 2)}),
        ((6, 4, 3, 3), (3, 2, 3, 2), (9, 8), {"padding": "same"}),
    ],
)
def test_a_tucker_convolution_is_the_dense_one_with_its_kernel(shape, rank, size, geometry, bias):
    layer = TuckerLayer(shape, rank, sketch=LatentSketch(theta=1.0), bias=bias, **geometry).double().requires_grad_(False)
    layer.kernel.initialise(generator())
    if bias:
        layer.bias.copy_(torch.arange(6))
    inputs = torch.randn(3, 4, *size, generator=generator(1), dtype=torch.float64)
    dense = torch.from_numpy(tensorly.tucker_to_tensor(arrays(layer.kernel)))
    convolve = F.conv1d if len(size) == 1 else F.conv2d
    torch.testing.assert_close(layer(inputs), convolve(inputs, dense, layer.bias, **geometry), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("shape", "rank"), KERNELS)
@pytest.mark.parametrize("modes", ["all", "channels"])
def test_masking_factors_is_selecting_core_rows_and_factor_columns(shape, rank, modes):
    built = kernel(shape, rank, theta=0.7, modes=modes, rescale=False)
    drawn = built.sketch.scales(rank, device=CPU)
    built.sketch.generator = generator(5)
    kept = [np.arange(r) if flags is None else np.flatnonzero(flags) for r, flags in zip(rank, drawn, strict=True)]
    assert any(len(chosen) < r for chosen, r in zip(kept, rank, strict=True))
    core, factors = arrays(built)
    selected = core[np.ix_(*kept)], [factor[:, chosen] for factor, chosen in zip(factors, kept, strict=True)]
    np.testing.assert_allclose(built().numpy(), tensorly.tucker_to_tensor(selected), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("kind", "fraction", "rank"),
    [
        ("channels", 0.5, (32, 16, 3, 3)),
        ("channels", 1.0, (64, 32, 3, 3)),
        ("channels", 0.001, (1, 1, 3, 3)),
        ("dimensions", 0.5, (32, 16, 2, 2)),
        ("dimensions", 0.1, (6, 3, 1, 1)),
        ("parameters", 1.0, (59, 30, 3, 3)),
    ],
)
def test_a_rank_fraction_is_resolved_as_its_kind_says(kind, fraction, rank):
    assert resolve_rank((64, 32, 3, 3), fraction, kind=kind) == rank


@given(shape=SHAPES, fraction=FRACTIONS)
def test_a_share_of_the_parameters_is_what_tensorly_resolves(shape, fraction):
    expected = validate_tucker_rank(tuple(shape), rank=fraction)
    assert resolve_rank(shape, fraction, kind="parameters") == tuple(map(min, expected, shape))


def test_the_whole_number_one_is_all_of_the_parameters_and_not_rank_one():
    assert resolve_rank((64, 32, 3, 3), 1, kind="parameters") == resolve_rank((64, 32, 3, 3), 1.0, kind="parameters")


@given(shape=SHAPES, fraction=FRACTIONS, kind=st.sampled_from(["channels", "dimensions", "parameters"]))
def test_every_resolved_rank_makes_a_legal_kernel(shape, fraction, kind):
    rank = resolve_rank(shape, fraction, kind=kind)
    assert TuckerKernel(shape, rank, sketch=LatentSketch(theta=1.0)).core.shape == rank


@pytest.mark.parametrize(
    ("rank", "message"),
    [
        ((5, 2, 3, 3), r"mode 0: rank 5, must be in \[1, 4\]"),
        ((4, 0, 3, 3), r"mode 1: rank 0, must be in \[1, 2\]"),
        ((4, 2, 3, 4), r"mode 3: rank 4, must be in \[1, 3\]"),
        ((9, 2, -1, 3), r"mode 0: rank 9, must be in \[1, 4\]; mode 2: rank -1, must be in \[1, 3\]"),
    ],
)
def test_impossible_ranks_are_refused_with_the_mode(rank, message):
    with pytest.raises(ValueError, match=message):
        TuckerKernel((4, 2, 3, 3), rank, sketch=LatentSketch(theta=1.0))


@pytest.mark.parametrize("shape", [(4,), (4, 2, 3, 3, 3)])
def test_kernels_of_other_orders_are_no_layer(shape):
    with pytest.raises(ValueError, match="only linear layers, 1-d and 2-d convolutions"):
        TuckerLayer(shape, shape, sketch=LatentSketch(theta=1.0))


@pytest.mark.parametrize(("shape", "rank"), [((32, 16, 3, 3), (8, 4, 3, 3)), ((32, 16, 3, 3), (32, 16, 3, 3)), ((24, 8, 9), (12, 4, 5))])
def test_fresh_kernels_have_kaiming_variance_at_every_rank(shape, rank):
    built = TuckerKernel(shape, rank, sketch=LatentSketch(theta=1.0)).double().requires_grad_(False)
    random, count = generator(3), 20
    squares = []
    for _ in range(count):
        built.initialise(random)
        squares.append(float(built().square().mean()))
    # With orthonormal factors the mean square is the core's: a chi-square of prod(rank) degrees of freedom.
    error = math.sqrt(2 / (count * math.prod(rank)))
    assert np.mean(squares) * math.prod(shape[1:]) / 2 == pytest.approx(1, abs=4 * error)


def test_fresh_factors_have_orthonormal_columns():
    for factor in kernel((7, 5, 3, 3), (4, 2, 3, 2)).factors:
        torch.testing.assert_close(factor.T @ factor, torch.eye(factor.shape[1], dtype=torch.float64))


@pytest.mark.parametrize("spatial", [True, False])
def test_the_kernels_own_backward_pass_is_that_of_its_forward_pass(spatial):
    def values(*shape):
        return torch.randn(shape, generator=generator(len(shape)), dtype=torch.float64, requires_grad=True)

    core, taps = (values(3, 2, 4), values(5, 4)) if spatial else (values(3, 2, 1), None)
    assert torch.autograd.gradcheck(kernel_of, (core, values(4, 3), values(6, 2), taps))
