import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.workers.small import generator
from workers.layers import LatentSketch, TransposedTuckerLayer, TuckerLayer, cheaper_execution

LAYERS = {
    "3x3": ((6, 5, 3, 3), (4, 3, 3, 3), {"stride": (2, 1), "padding": (1, 1), "bias": True}),
    "3x3, spatial rank": ((6, 5, 3, 3), (6, 2, 2, 3), {"padding": (1, 2), "dilation": (2, 1)}),
    "1x1 with stride": ((6, 5, 1, 1), (3, 4, 1, 1), {"stride": (2, 2), "bias": True}),
    "1x1 with padding": ((6, 5, 1, 1), (3, 4, 1, 1), {"padding": (1, 1), "bias": True}),
    "same padding": ((6, 5, 3, 3), (3, 4, 3, 3), {"padding": "same"}),
    "1-d": ((6, 5, 7), (4, 3, 7), {"stride": (3,), "padding": (2,), "bias": True}),
    "linear": ((6, 5), (4, 3), {"bias": True}),
    "transposed": ((6, 5, 3, 3), (4, 3, 3, 2), {"stride": (2, 1), "padding": (1,), "output_padding": (1, 0), "bias": True}),
    "transposed 1x1": ((6, 5, 1, 1), (4, 3, 1, 1), {"stride": (2,)}),
    "transposed 1-d": ((6, 5, 7), (4, 3, 7), {"stride": (3,), "padding": (2,), "dilation": (2,)}),
}
SIZES = {4: (8, 9), 3: (30,), 2: ()}


def layer(name, execution, sketch):
    shape, rank, geometry = LAYERS[name]
    kind = TransposedTuckerLayer if name.startswith("transposed") else TuckerLayer
    made = kind(shape, rank, sketch=sketch, execution=execution, **geometry).double()
    made.kernel.initialise(generator(3))
    if made.bias is not None:
        nn.init.normal_(made.bias, generator=generator(4))
    return made


def seeded(theta, **settings):
    sketch = LatentSketch(theta=theta, **settings)
    sketch.generator = generator(5)
    return sketch


def inputs_for(name, batch=4):
    shape = LAYERS[name][0]
    return torch.randn(batch, shape[1], *SIZES[len(shape)], generator=generator(6), dtype=torch.float64)


def outputs_and_gradients(made, inputs):
    leaf = inputs.clone().requires_grad_()
    outputs = made(leaf)
    gradients = torch.autograd.grad(outputs.square().sum(), [leaf, *made.parameters()])
    return [outputs, *gradients]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(("theta", "modes"), [(1.0, "channels"), (0.6, "channels"), (0.6, "all")])
def test_both_executions_give_the_same_outputs_and_gradients(name, theta, modes):
    found = [
        outputs_and_gradients(layer(name, execution, seeded(theta, modes=modes)), inputs_for(name))
        for execution in ("reconstruct", "factorized")
    ]
    for rebuilt, chained in zip(*found, strict=True):
        torch.testing.assert_close(chained, rebuilt, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", LAYERS)
def test_per_example_draws_are_per_batch_draws_of_one_example_each(name):
    made, inputs = layer(name, "reconstruct", seeded(0.6, draws="example")), inputs_for(name)
    together = made(inputs)
    made.kernel.sketch.generator = generator(5)
    scales = made.kernel.draw(batch=len(inputs))
    assert len({tuple(row.tolist()) for row in torch.cat(scales[:2], dim=1)}) > 1
    for index, example in enumerate(inputs):
        own = [None if scale is None else scale[index] for scale in scales]
        kernel = made.kernel.build(own)
        expected = (
            F.linear(example[None], kernel, made.bias) if kernel.dim() == 2 else made._move(example[None], kernel, made.bias, geometry=True)
        )
        torch.testing.assert_close(together[index : index + 1], expected, rtol=1e-10, atol=1e-10)


def test_a_linear_layer_takes_inputs_of_any_dimension_with_a_draw_per_example():
    made = layer("linear", "factorized", seeded(0.6, draws="example"))
    inputs = torch.randn(3, 7, 2, 5, generator=generator(1), dtype=torch.float64)
    outputs = made(inputs)
    made.kernel.sketch.generator = generator(5)
    one_position = made(inputs[:, 4, 1])
    assert outputs.shape == (3, 7, 2, 6)
    torch.testing.assert_close(outputs[:, 4, 1], one_position)


def test_draws_per_example_on_spatial_modes_are_refused():
    with pytest.raises(ValueError, match="only the channel modes can be drawn per example"):
        LatentSketch(theta=0.9, modes="all", draws="example")


def test_a_frozen_draw_stays_the_same_per_layer_and_ends_with_its_context():
    sketch = seeded(0.5)
    first, second = layer("3x3", "reconstruct", sketch), layer("3x3", "factorized", sketch)
    inputs = inputs_for("3x3")
    with sketch.frozen():
        held = first(inputs)
        assert not torch.allclose(held, second(inputs))
        assert torch.equal(first(inputs), held)
        with sketch.full_weights():
            assert not torch.equal(first(inputs), held)
        assert torch.equal(first(inputs), held)
    assert any(not torch.equal(first(inputs), held) for _ in range(8))


@pytest.mark.parametrize("theta", [0.3, 0.7, 0.05, 1e-6, 1e-300])
@pytest.mark.parametrize("draws", ["batch", "example"])
def test_redrawn_modes_keep_something_and_have_the_conditional_distribution(theta, draws):
    """Every pattern of flags but the empty one has its Bernoulli probability over that of not being empty, however small theta is."""
    rank, count = 4, 3000
    sketch = seeded(theta, all_zero="redraw", rescale=False, draws=draws)
    passes = 1 if draws == "example" else count
    flags = torch.cat([sketch.scales((rank, 1), device=torch.device("cpu"), batch=count)[0].view(-1, rank) for _ in range(passes)])
    patterns = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * rank)
    found = torch.bincount((flags @ (2.0 ** torch.arange(rank).flip(0))).long(), minlength=2**rank) / count
    kept = patterns.sum(dim=1).double()
    weights = theta ** (kept - 1) * (1 - theta) ** (rank - kept)  # over theta: there is no smaller double
    weights[0] = 0
    expected = weights / weights.sum()
    assert found[0] == 0
    assert ((found - expected).abs() <= 4.5 * (expected * (1 - expected) / count).sqrt() + 1e-12).all()


def test_an_all_zero_draw_is_kept_by_default():
    sketch = seeded(0.1)
    assert any(int(sketch.scales((2, 2), device=torch.device("cpu"))[0].sum()) == 0 for _ in range(20))


def test_the_choice_of_execution_follows_rank_and_size_and_never_changes():
    low, full = (64, 64, 3, 3), (256, 256, 3, 3)
    assert cheaper_execution((256, 256, 3, 3), low, positions_in=64) == "factorized"
    assert cheaper_execution((64, 64, 3, 3), (64, 64, 3, 3), positions_in=1024) == "reconstruct"
    assert cheaper_execution((512, 512, 3, 3), (512, 512, 3, 3), positions_in=16) == "factorized"
    assert {cheaper_execution((256, 256, 3, 3), full, positions_in=64) for _ in range(5)} == {
        cheaper_execution((256, 256, 3, 3), full, positions_in=64)
    }


def test_a_transposed_convolution_costs_by_its_inputs_and_a_low_rank_makes_the_chain_cheaper():
    shape, low = (128, 256, 4, 4), (16, 32, 4, 4)
    assert cheaper_execution(shape, low, stride=4, positions_in=256, transposed=True) == "factorized"
    assert cheaper_execution(shape, shape, stride=4, positions_in=256, transposed=True) == "reconstruct"


def test_a_copied_network_shares_one_sketch_of_its_own():
    sketch = LatentSketch(theta=0.5)
    twins = nn.Sequential(layer("linear", "reconstruct", sketch), nn.Identity())
    other = copy.deepcopy(twins)
    assert other[0].kernel.sketch is not sketch


@pytest.mark.parametrize("name", ["3x3", "linear", "transposed"])
def test_the_kernel_of_weights_that_stay_is_built_once_and_anew_when_they_change(name, monkeypatch):
    """An attack's gradients are those by a kernel that is built for each pass, also of copies and of other weights in their place."""
    frozen = layer(name, "reconstruct", seeded(1.0)).requires_grad_(False)
    inputs = torch.randn(2, LAYERS[name][0][1], *SIZES[len(LAYERS[name][0])], generator=generator(6), dtype=torch.float64)
    trained = copy.deepcopy(frozen).requires_grad_(True)
    built, build = [], type(frozen.kernel).build
    monkeypatch.setattr(type(frozen.kernel), "build", lambda self, scales: built.append(id(self)) or build(self, scales))

    def slope(of):
        leaf = inputs.clone().requires_grad_()
        return torch.autograd.grad(of(leaf).square().sum(), leaf)[0]

    assert torch.equal(slope(frozen), slope(trained))
    assert torch.equal(slope(frozen), slope(trained))
    assert built.count(id(frozen.kernel)) == 1
    changed = copy.deepcopy(frozen)
    for kept in (frozen, changed):
        kept.kernel.core.mul_(2)
    with torch.no_grad():
        trained.kernel.core.mul_(2)
    assert torch.equal(slope(frozen), slope(trained))
    assert torch.equal(slope(changed), slope(trained))
    halved = torch.func.functional_call(frozen, {"kernel.core": frozen.kernel.core / 2}, (inputs,))
    frozen.kernel.core.div_(2)
    assert torch.equal(halved, frozen(inputs))


def test_a_kernel_that_is_kept_is_no_other_in_reduced_precision():
    frozen = layer("3x3", "reconstruct", seeded(1.0)).requires_grad_(False).float()
    inputs = torch.randn(2, LAYERS["3x3"][0][1], *SIZES[len(LAYERS["3x3"][0])], generator=generator(6))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        before = frozen(inputs)
    exact = frozen(inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(frozen(inputs), before)
    assert exact.dtype == torch.float32
    assert torch.equal(frozen(inputs), exact)
