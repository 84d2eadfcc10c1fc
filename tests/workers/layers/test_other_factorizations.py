"""CP and tensor-train kernels, against TensorLy and against the dense layers of their kernels."""

import math

import numpy as np
import pytest
import tensorly
import torch
from hypothesis import given
from hypothesis import strategies as st
from tensorly.cp_tensor import validate_cp_rank
from tensorly.decomposition import parafac, tensor_train
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.workers.small import generator
from workers.layers import (
    BinaryConv,
    CPLayer,
    LatentSketch,
    SignGradient,
    TensorTrainLayer,
    TransposedCPLayer,
    TransposedTensorTrainLayer,
    cheaper_execution,
    resolve_rank,
)
from workers.layers.cp import cp_factors
from workers.layers.tensor_train import train_cores

FORMS = {"cp": CPLayer, "tt": TensorTrainLayer}
LAYERS = {
    "3x3": ((6, 5, 3, 3), {"cp": (7,), "tt": (4, 6, 3)}, {"stride": (2, 1), "padding": (1, 2), "dilation": (2, 1), "bias": True}),
    "same padding": ((6, 5, 3, 3), {"cp": (7,), "tt": (4, 6, 3)}, {"padding": "same"}),
    "1x1 with stride": ((6, 5, 1, 1), {"cp": (4,), "tt": (4, 3, 3)}, {"stride": (2, 2), "bias": True}),
    "1x1 with padding": ((6, 5, 1, 1), {"cp": (4,), "tt": (4, 3, 3)}, {"padding": (1, 1)}),
    "1-d": ((6, 5, 7), {"cp": (8,), "tt": (4, 5)}, {"stride": (3,), "padding": (2,), "bias": True}),
    "linear": ((6, 5), {"cp": (3,), "tt": (3,)}, {"bias": True}),
}
SIZES = {4: (8, 9), 3: (30,), 2: ()}
EACH = [(form, name) for form in FORMS for name in LAYERS]


def layer(form, name, *, execution="reconstruct", theta=1.0, **settings):
    shape, ranks, geometry = LAYERS[name]
    sketch = LatentSketch(theta=theta, **settings)
    sketch.generator = generator(5)
    made = FORMS[form](shape, ranks[form], sketch=sketch, execution=execution, **geometry).double()
    made.kernel.initialise(generator(3))
    if made.bias is not None:
        nn.init.normal_(made.bias, generator=generator(4))
    return made


def inputs_for(name, batch=3):
    shape = LAYERS[name][0]
    return torch.randn(batch, shape[1], *SIZES[len(shape)], generator=generator(6), dtype=torch.float64)


def dense(made, inputs, kernel):
    if kernel.dim() == 2:
        return F.linear(inputs, kernel, made.bias)
    convolve = F.conv1d if kernel.dim() == 3 else F.conv2d
    return convolve(inputs, kernel, made.bias, made.stride, made.padding, made.dilation)


def by_tensorly(kernel):
    if kernel.factorization == "cp":
        return tensorly.cp_to_tensor((None, [factor.detach().numpy() for factor in kernel.factors]))
    return np.moveaxis(tensorly.tt_to_tensor([core.detach().numpy() for core in kernel.cores]), -1, 0)


@pytest.mark.parametrize(("form", "name"), EACH)
def test_the_kernel_is_tensorlys_and_the_layer_the_dense_one_with_it(form, name):
    made, inputs = layer(form, name), inputs_for(name)
    kernel = made.kernel()
    np.testing.assert_allclose(kernel.detach().numpy(), by_tensorly(made.kernel), rtol=0, atol=1e-13)
    torch.testing.assert_close(made(inputs), dense(made, inputs, kernel), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("form", "name"), EACH)
@pytest.mark.parametrize(("theta", "modes"), [(1.0, "channels"), (0.6, "channels"), (0.6, "all")])
def test_both_executions_give_the_same_outputs_and_gradients(form, name, theta, modes):
    found = []
    for execution in ("reconstruct", "factorized"):
        made, leaf = layer(form, name, execution=execution, theta=theta, modes=modes), inputs_for(name).requires_grad_()
        outputs = made(leaf)
        found.append([outputs, *torch.autograd.grad(outputs.square().sum(), [leaf, *made.parameters()])])
    for rebuilt, chained in zip(*found, strict=True):
        torch.testing.assert_close(chained, rebuilt, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("form", "name"), EACH)
def test_per_example_draws_are_per_batch_draws_of_one_example_each(form, name):
    made, inputs = layer(form, name, theta=0.6, draws="example"), inputs_for(name)
    together = made(inputs)
    made.kernel.sketch.generator = generator(5)
    scales = made.kernel.draw(batch=len(inputs))
    for index, example in enumerate(inputs):
        kernel = made.kernel.build([None if scale is None else scale[index] for scale in scales])
        torch.testing.assert_close(together[index : index + 1], dense(made, example[None], kernel), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("form", "modes"), [("cp", "channels"), ("tt", "channels"), ("tt", "all")])
def test_the_expected_sketched_kernel_is_the_full_one(form, modes):
    """Within five standard errors at every weight: E[diag(lambda)] = 1 at each sketched component or bond."""
    made, count = layer(form, "3x3", theta=0.7, modes=modes), 1500
    with torch.no_grad():
        drawn = torch.stack([made.kernel() for _ in range(count)])
        with made.kernel.sketch.full_weights():
            full = made.kernel()
    error = (drawn.mean(dim=0) - full).abs() / (drawn.std(dim=0) / math.sqrt(count)).clamp_min(1e-9)
    assert float(error.max()) < 5
    assert float(drawn.std(dim=0).max()) > 0.01


def test_a_dropped_component_leaves_out_its_column_of_every_factor():
    made = layer("cp", "3x3", theta=0.5, rescale=False)
    (flags,) = made.kernel.draw()
    kept = flags.bool()
    selected = tensorly.cp_to_tensor((None, [factor.detach()[:, kept].numpy() for factor in made.kernel.factors]))
    assert 0 < int(kept.sum()) < len(kept)
    np.testing.assert_allclose(made.kernel.build([flags]).detach().numpy(), selected, rtol=0, atol=1e-13)


def test_only_the_outermost_bonds_of_a_train_are_its_channel_modes():
    first, between, last = layer("tt", "3x3", theta=0.5).kernel.draw()
    assert between is None
    assert [len(first), len(last)] == [4, 3]
    assert [len(scale) for scale in layer("tt", "3x3", theta=0.5, modes="all").kernel.draw()] == [4, 6, 3]


@pytest.mark.parametrize(("form", "shape"), [(form, shape) for form in FORMS for shape in [(16, 12, 3, 3), (12, 9, 8), (20, 15)]])
def test_a_fresh_kernel_has_kaimings_variance(form, shape):
    rank = resolve_rank(shape, 0.5, kind="parameters", factorization=form)
    kernel = FORMS[form](shape, rank, sketch=LatentSketch(theta=1.0)).kernel
    found = []
    for seed in range(40):
        kernel.initialise(generator(seed))
        found.append(float(kernel().detach().square().mean()) * math.prod(shape[1:]) / 2)
    assert 0.8 < sum(found) / len(found) < 1.25


def error_of(kernel, rebuilt):
    return float(np.linalg.norm(rebuilt - kernel.numpy()))


@pytest.mark.parametrize(("shape", "rank"), [((8, 6, 3, 3), (6, 8, 3)), ((8, 6, 5), (3, 4)), ((9, 4), (3,))])
def test_a_train_of_a_dense_kernel_is_as_near_as_tensorlys(shape, rank):
    kernel = torch.randn(shape, generator=generator(1), dtype=torch.float64)
    cores = train_cores(kernel, rank)
    theirs = tensor_train(kernel.numpy(), [1, *rank, 1])
    ours = tensorly.tt_to_tensor([core.numpy() for core in cores])
    np.testing.assert_allclose(error_of(kernel, ours), error_of(kernel, tensorly.tt_to_tensor(theirs)), rtol=1e-9)


@pytest.mark.parametrize(("shape", "rank"), [((8, 6, 3, 3), 10), ((8, 6, 5), 6)])
@pytest.mark.filterwarnings("ignore:Trying to compute SVD")
def test_a_cp_form_of_a_dense_kernel_is_as_near_as_tensorlys(shape, rank):
    kernel = torch.randn(shape, generator=generator(1), dtype=torch.float64)
    theirs = parafac(kernel.numpy(), rank, n_iter_max=100, tol=1e-7, init="svd", random_state=0)
    factors = cp_factors(kernel, rank)
    ours = tensorly.cp_to_tensor((None, [factor.numpy() for factor in factors]))
    assert error_of(kernel, ours) <= 1.05 * error_of(kernel, tensorly.cp_to_tensor(theirs))
    lengths = torch.stack([factor.norm(dim=0) for factor in factors])
    torch.testing.assert_close(lengths, lengths[:1].expand_as(lengths))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(8, 6, 3, 3), (3, 10), (10, 3, 1, 1), (5, 4, 7)])
def test_the_whole_of_the_dimensions_holds_every_kernel(form, shape):
    kernel = torch.randn(shape, generator=generator(1), dtype=torch.float64)
    rank = resolve_rank(shape, 1.0, kind="dimensions", factorization=form)
    made = FORMS[form](shape, rank, sketch=LatentSketch(theta=1.0)).double()
    made.kernel.decompose(kernel)
    torch.testing.assert_close(made.kernel(), kernel, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("form", "kind", "fraction", "rank"),
    [
        ("cp", "channels", 0.5, (32,)),
        ("cp", "dimensions", 0.5, (144,)),
        ("cp", "parameters", 1.0, (round(64 * 32 * 9 / 102),)),
        ("tt", "channels", 0.5, (16, 48, 32)),
        ("tt", "channels", 1.0, (32, 96, 64)),
        ("tt", "dimensions", 0.5, (16, 48, 32)),
        ("tt", "parameters", 0.5, (32, 32, 32)),
        ("tt", "dimensions", 0.01, (1, 1, 1)),
    ],
)
def test_a_rank_fraction_is_resolved_as_its_kind_says(form, kind, fraction, rank):
    assert resolve_rank((64, 32, 3, 3), fraction, kind=kind, factorization=form) == rank


@given(
    shape=st.lists(st.integers(1, 12), min_size=2, max_size=4),
    fraction=st.floats(0.01, 1),
    kind=st.sampled_from(["channels", "dimensions", "parameters"]),
    form=st.sampled_from(list(FORMS)),
)
def test_every_resolved_rank_makes_a_legal_kernel(shape, fraction, kind, form):
    rank = resolve_rank(shape, fraction, kind=kind, factorization=form)
    kernel = FORMS[form](shape, rank, sketch=LatentSketch(theta=1.0)).kernel
    kernel.initialise(generator())
    assert kernel().shape == tuple(shape)
    if form == "cp" and kind == "parameters":
        assert rank[0] <= max(1, int(validate_cp_rank(tuple(shape), rank=fraction)))


@pytest.mark.parametrize("form", FORMS)
def test_a_binary_layer_takes_every_form(form):
    made = layer(form, "3x3", theta=0.7)
    binary = BinaryConv(made.kernel, signs=SignGradient(), padding=(1,)).double()
    outputs = binary(inputs_for("3x3"))
    outputs.square().sum().backward()
    assert all(parameter.grad.isfinite().all() and parameter.grad.any() for parameter in made.kernel.parameters())


@pytest.mark.parametrize(("form", "rank"), [("cp", (3, 2)), ("cp", (0,)), ("tt", (3,)), ("tt", (3, 0, 2))])
def test_wrong_ranks_are_refused(form, rank):
    with pytest.raises(ValueError, match=r"rank \(.*\) for a kernel of shape \(6, 5, 3, 3\): must be"):
        FORMS[form]((6, 5, 3, 3), rank, sketch=LatentSketch(theta=1.0))


@pytest.mark.parametrize("form", FORMS)
def test_a_small_rank_is_chained_and_a_large_one_rebuilt(form):
    small = resolve_rank((64, 64, 3, 3), 0.1, kind="channels", factorization=form)
    assert cheaper_execution((64, 64, 3, 3), small, factorization=form, positions_in=1024) == "factorized"
    whole = resolve_rank((64, 64, 3, 3), 1.0, kind="dimensions", factorization=form)
    assert cheaper_execution((64, 64, 3, 3), whole, factorization=form, positions_in=1024) == "reconstruct"


@pytest.mark.parametrize(("form", "rank"), [(TransposedCPLayer, (7,)), (TransposedTensorTrainLayer, (4, 6, 3))])
@pytest.mark.parametrize("execution", ["reconstruct", "factorized"])
def test_a_transposed_layer_is_the_dense_one_with_its_kernel(form, rank, execution):
    geometry = {"stride": (2, 1), "padding": (1, 0), "output_padding": (1, 0)}
    made = form((6, 5, 3, 3), rank, sketch=LatentSketch(theta=1.0), execution=execution, bias=True, **geometry).double()
    made.kernel.initialise(generator(3))
    inputs = torch.randn(2, 5, 4, 6, generator=generator(6), dtype=torch.float64)
    expected = F.conv_transpose2d(inputs, made.kernel().transpose(0, 1), made.bias, **geometry)
    torch.testing.assert_close(made(inputs), expected, rtol=0, atol=1e-12)
