"""Wide Tucker layers keep less for the backward pass, and their gradients are the same bits."""

import weakref

import pytest
import torch

from tests.workers.small import generator
from workers.layers import LatentSketch, TuckerLayer

SHAPES = {"3x3": ((16, 12, 3, 3), (14, 10, 3, 3)), "1x1": ((16, 12, 1, 1), (14, 10, 1, 1))}


def layer(name, execution, *, draws="batch", rank=None):
    shape, wide = SHAPES[name]
    sketch = LatentSketch(theta=0.7, draws=draws)
    sketch.generator = generator(2)
    stride, padding = ((2,), (0,)) if name == "1x1" else ((1,), (1,))
    made = TuckerLayer(shape, rank or wide, sketch=sketch, execution=execution, stride=stride, padding=padding, bias=True)
    made.kernel.initialise(generator(3))
    return made


def images():
    return torch.randn(6, 12, 10, 10, generator=generator(1))


def gradients(made, inputs, dtype=None):
    leaf = inputs.clone().requires_grad_()
    made.kernel.sketch.generator = generator(2)
    with torch.autocast("cpu", dtype=dtype or torch.bfloat16, enabled=dtype is not None):
        outputs = made(leaf)
    return [outputs, *torch.autograd.grad(outputs.float().square().sum(), [leaf, *made.parameters()])]


@pytest.mark.parametrize("draws", ["batch", "example"])
@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
@pytest.mark.parametrize("execution", ["reconstruct", "factorized"])
@pytest.mark.parametrize("name", SHAPES)
def test_gradients_are_the_same_bits_as_when_all_is_kept(name, execution, dtype, draws):
    made = layer(name, execution, draws=draws)
    assert made._spares
    sparing = gradients(made, images(), dtype)
    made._spares = False
    for ours, plain in zip(sparing, gradients(made, images(), dtype), strict=True):
        assert torch.equal(ours, plain)
        assert ours.abs().sum() > 0


def alive(made, inputs, monkeypatch):
    """The shapes of what the products of a forward pass were made of and its graph keeps alive, the inputs themselves left out."""
    seen, move = [], made._move

    def moved(source, kernel, bias, *, geometry):
        seen.extend(weakref.ref(tensor) for tensor in (source, kernel) if tensor is not inputs)
        return move(source, kernel, bias, geometry=geometry)

    monkeypatch.setattr(made, "_move", moved)
    outputs = made(inputs)
    found = [tuple(tensor.shape) for one in seen if (tensor := one()) is not None]
    assert outputs.grad_fn is not None
    return found


KEPT = {"reconstruct": [(16, 12, 3, 3)], "factorized": [(10, 12, 1, 1), (6, 10, 10, 10), (14, 10, 3, 3), (6, 14, 10, 10), (16, 14, 1, 1)]}
SPARED = {"reconstruct": [], "factorized": [(6, 14, 10, 10)]}


@pytest.mark.parametrize("execution", ["reconstruct", "factorized"])
def test_a_wide_layer_keeps_the_channels_behind_its_core_alone(execution, monkeypatch):
    made, inputs = layer("3x3", execution), images()
    assert alive(made, inputs, monkeypatch) == SPARED[execution]
    made._spares = False
    assert alive(made, inputs, monkeypatch) == KEPT[execution]


def test_a_narrow_layer_and_one_that_is_not_trained_keep_what_they_need(monkeypatch):
    narrow = layer("3x3", "factorized", rank=(8, 6, 3, 3))
    assert (6, 6, 10, 10) in alive(narrow, images(), monkeypatch)
    attacked = layer("3x3", "factorized").requires_grad_(False)
    assert (6, 10, 10, 10) in alive(attacked, images().requires_grad_(), monkeypatch)


@pytest.mark.parametrize("execution", ["reconstruct", "factorized"])
def test_what_the_gradient_needs_must_not_be_changed_before_it_is_taken(execution):
    made = layer("3x3", execution)
    loss = made(images()).sum()
    with torch.no_grad():
        made.kernel.core.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_nothing_is_kept_or_computed_again_without_gradients():
    made = layer("3x3", "factorized")
    with torch.no_grad():
        assert made(images()).grad_fn is None
    with torch.inference_mode():
        assert made(images()).shape == (6, 16, 10, 10)
