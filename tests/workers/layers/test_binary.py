import math

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from tests.workers.models.xnor import formula
from tests.workers.small import generator
from workers.layers import BinaryConv, DenseKernel, LatentSketch, SignGradient, TuckerKernel, binary_kernel

NAMES = ["identity", "tanh", "tanh075"]
GEOMETRIES = [
    ((4, 3, 5), (12,), {}),
    ((4, 3, 5), (14,), {"stride": (2,), "padding": (3,), "dilation": (2,)}),
    ((4, 3, 3, 3), (6, 5), {"padding": (1,)}),
    ((4, 3, 3, 2), (7, 6), {"stride": (2, 1), "padding": (0, 2), "dilation": (1, 2)}),
    ((4, 3, 1, 1), (5, 5), {"stride": (2,)}),
    ((4, 3, 3, 3), (5, 4), {"padding": "same"}),
]


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def conv(kernel, *, signs=None, **geometry):
    layer = BinaryConv(kernel, signs=signs or SignGradient(), **geometry).double().requires_grad_(False)
    kernel.initialise(generator(3))
    return layer


def tucker(shape, *, theta=1.0, rank=None):
    sketch = LatentSketch(theta=theta)
    sketch.generator = generator(7)
    return TuckerKernel(shape, rank or shape, sketch=sketch)


@pytest.mark.parametrize("make", [DenseKernel, tucker], ids=["dense", "tucker"])
@pytest.mark.parametrize(("shape", "size", "geometry"), GEOMETRIES)
def test_a_binary_convolution_is_xnor_nets_formula_evaluated_by_loops(make, shape, size, geometry):
    layer = conv(make(shape), **geometry)
    inputs = randn(2, 3, *size)
    inputs[0, 1] = 0
    torch.testing.assert_close(layer(inputs), formula(inputs, layer.kernel(), geometry), rtol=0, atol=1e-12)


def test_a_bias_is_added_after_the_magnitudes():
    layer, plain = conv(DenseKernel((4, 3, 3)), bias=True), conv(DenseKernel((4, 3, 3)))
    layer.bias.copy_(torch.arange(4))
    inputs = randn(2, 3, 8)
    torch.testing.assert_close(layer(inputs), plain(inputs) + torch.arange(4).view(-1, 1), rtol=0, atol=1e-14)


def test_signs_of_inputs_and_weights_are_never_zero():
    values = torch.tensor([-2.0, -0.0, 0.0, 1e-30, 3.0])
    assert SignGradient().sign(values).tolist() == [-1, 1, 1, 1, 1]
    assert binary_kernel(torch.tensor([[0.0, -1.0, 2.0]])).tolist() == [[1, -1, 1]]


def test_padding_counts_for_nothing_in_the_signs_and_as_zero_in_the_magnitudes():
    layer = conv(DenseKernel((1, 1, 3)), padding=(1,))
    layer.kernel.weight.copy_(torch.tensor([[[0.5, 1.0, 1.5]]]))
    outputs = layer(torch.full((1, 1, 3), -2.0, dtype=torch.float64))
    # In the middle three signs, -3, times K = 2 times alpha = 1; at each end two signs, -2, times K = 4/3.
    torch.testing.assert_close(outputs[0, 0], torch.tensor([-8 / 3, -6.0, -8 / 3], dtype=torch.float64))


def test_a_kernel_of_zeros_gives_zeros():
    layer = conv(DenseKernel((2, 3, 3)))
    layer.kernel.weight.zero_()
    assert not layer(randn(1, 3, 6)).any()


def test_not_a_number_in_the_input_is_not_hidden_by_its_sign():
    assert conv(DenseKernel((2, 3, 3)))(torch.full((1, 3, 4), float("nan"), dtype=torch.float64)).isnan().all()


DERIVATIVES = {
    "identity": lambda x: float(abs(x) <= 1),
    "tanh": lambda x: 1 / math.cosh(x) ** 2,
    "tanh075": lambda x: 0.75 / math.cosh(0.75 * x) ** 2,
}


@pytest.mark.parametrize("name", NAMES)
def test_the_sign_of_activations_has_the_gradient_of_its_setting_in_closed_form(name):
    points = torch.tensor([-3.0, -1.0, -0.4, 0.0, 0.7, 1.0, 1.0001, 4.0], dtype=torch.float64, requires_grad=True)
    signs = SignGradient()
    with signs.using(name):
        (2 * signs.sign(points)).sum().backward()
    expected = torch.tensor([2 * DERIVATIVES[name](x) for x in points.tolist()], dtype=torch.float64)
    torch.testing.assert_close(points.grad, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_of_a_layer_is_that_of_its_signs_and_of_its_magnitudes(name):
    signs = SignGradient()
    layer = conv(DenseKernel((4, 3, 3, 3)), signs=signs, padding=(1,))
    inputs, weight = randn(2, 3, 5, 5), randn(2, 4, 5, 5, seed=1)
    leaf = inputs.clone().requires_grad_()
    with signs.using(name):
        (layer(leaf) * weight).sum().backward()
    moved = F.conv2d(signs.sign(inputs), binary_kernel(layer.kernel()), padding=1)
    through_signs = F.conv_transpose2d(weight * layer.magnitudes(inputs), binary_kernel(layer.kernel()), padding=1)
    through_magnitudes = F.conv_transpose2d((weight * moved).sum(dim=1, keepdim=True), layer.box, padding=1) / 27 * inputs.sign()
    derivative = inputs.clone().apply_(DERIVATIVES[name])
    torch.testing.assert_close(leaf.grad, through_signs * derivative + through_magnitudes, rtol=0, atol=1e-12)


def test_weights_have_xnor_nets_gradient_times_their_number():
    weights = torch.tensor([[[0.5, -0.25, 1.5]], [[-1.0, 0.0, -0.5]]], dtype=torch.float64, requires_grad=True)
    gradient = randn(2, 1, 3)
    (binary_kernel(weights) * gradient).sum().backward()
    n, alpha = 3, torch.tensor([0.75, 0.5], dtype=torch.float64).view(2, 1, 1)
    inside = torch.tensor([[[1, 1, 0]], [[1, 1, 1]]])
    torch.testing.assert_close(weights.grad, n * gradient * (1 / n + alpha * inside), rtol=0, atol=1e-15)


def test_a_kernel_that_is_not_magnified_has_the_gradient_of_what_it_stands_for():
    weights = torch.tensor([[[0.5, -0.25, 1.5]], [[-0.5, 0.75, 0.25]]], dtype=torch.float64, requires_grad=True)
    gradient = randn(2, 1, 3)
    (binary_kernel(weights, magnified=False) * gradient).sum().backward()
    assert torch.equal(weights.grad, gradient * (weights.detach().abs() <= 1))


def test_a_tucker_kernels_gradient_reaches_its_core_and_factors():
    layer = conv(tucker((4, 3, 3, 3), rank=(2, 2, 3, 3))).requires_grad_()
    layer(randn(2, 3, 5, 5)).square().sum().backward()
    assert all(bool(parameter.grad.any()) for parameter in layer.kernel.parameters())


def test_the_setting_that_counts_is_the_one_of_the_forward_pass():
    signs, points = SignGradient(), torch.tensor([2.0], requires_grad=True)
    with signs.using("tanh"):
        outputs = signs.sign(points)
    outputs.sum().backward()
    assert float(points.grad) == pytest.approx(DERIVATIVES["tanh"](2.0))


def test_settings_nest_and_are_restored_after_an_exception():
    signs = SignGradient()
    with signs.using("tanh"):
        with pytest.raises(KeyboardInterrupt), signs.using("tanh075"):
            raise KeyboardInterrupt
        assert signs.name == "tanh"
    assert signs.name == "identity"


def test_an_unknown_gradient_is_refused_with_the_legal_ones():
    with pytest.raises(ValueError, match=r"^sign_gradient 'tahn': one of identity, tanh, tanh075$"), SignGradient().using("tahn"):
        pass


@pytest.mark.parametrize("shape", [(4, 2), (4, 2, 3, 3, 3)])
def test_kernels_of_other_orders_are_no_convolution(shape):
    with pytest.raises(ValueError, match="only 1-d and 2-d"):
        BinaryConv(DenseKernel(shape), signs=SignGradient())


@pytest.mark.parametrize(("theta", "equal"), [(1.0, True), (0.7, False)])
def test_a_sketch_is_drawn_before_every_binarisation(theta, equal):
    layer = conv(tucker((8, 6, 3, 3), theta=theta))
    inputs = randn(2, 6, 5, 5)
    assert torch.equal(layer(inputs), layer(inputs)) == equal


def test_the_expected_sketched_kernel_is_the_full_kernel_until_it_is_binarised():
    layer, draws = conv(tucker((6, 5, 3), theta=0.7)), 2000
    kernels = torch.stack([layer.kernel() for _ in range(draws)])
    with layer.kernel.sketch.full_weights():
        full = layer.kernel()
    assert ((kernels.mean(dim=0) - full).abs() <= 4 * kernels.std(dim=0) / draws**0.5).all()


def test_what_is_convolved_is_the_sign_of_the_sketched_kernel():
    layer = conv(tucker((6, 5, 3), theta=0.7))
    inputs = randn(2, 5, 9)
    outputs = layer(inputs)
    layer.kernel.sketch.generator = generator(7)
    torch.testing.assert_close(outputs, formula(inputs, layer.kernel(), {}), rtol=0, atol=1e-12)
