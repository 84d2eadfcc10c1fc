"""Defences that change the inputs: feature squeezing, and random resizing and padding."""

import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter
from torch import nn

from tests.workers.small import generator
from workers.defences.squeezing import median
from workers.models.network import build_defence
from workers.spec.component import DefenceSpec

UNIT = (0.0, 1.0)
IMAGES = torch.rand(5, 3, 12, 12, generator=generator())


def squeezing(**settings):
    return build_defence(DefenceSpec(name="feature_squeezing", **settings), bounds=UNIT)


def resizing(*, seed=0, pad_factor=1.5):
    defence = build_defence(DefenceSpec(name="random_resize_pad", pad_factor=pad_factor), bounds=UNIT)
    defence.generator = generator(seed)
    return defence


def gradient(function, inputs):
    leaf = inputs.clone().requires_grad_()
    (found,) = torch.autograd.grad(function(leaf).sum(), leaf)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_the_median_filter_is_scipys(size):
    expected = median_filter(IMAGES.numpy(), size=(1, 1, size, size), mode="reflect")
    assert np.array_equal(median(IMAGES, size=size).numpy(), expected)


def test_a_window_larger_than_the_image_is_mirrored_as_often_as_it_takes():
    tiny = IMAGES[..., :2, :2]
    expected = median_filter(tiny.numpy(), size=(1, 1, 9, 9), mode="reflect")
    assert np.array_equal(median(tiny, size=9).numpy(), expected)


@pytest.mark.parametrize(("bits", "size"), [(5, 2), (1, 2), (8, 3), (3, 1)])
def test_squeezed_images_are_those_of_a_direct_computation(bits, size):
    levels = np.float32(2**bits - 1)
    reduced = np.rint(IMAGES.numpy() * levels) / levels
    expected = median_filter(reduced, size=(1, 1, size, size), mode="reflect")
    assert np.array_equal(squeezing(bit_depth=bits, median_size=size).transform(IMAGES).numpy(), expected)


def test_rounding_is_differentiated_as_the_identity_and_the_median_goes_to_its_pixel():
    assert torch.equal(gradient(squeezing(median_size=1).transform, IMAGES), torch.ones_like(IMAGES))
    through = gradient(squeezing(bit_depth=5, median_size=2).transform, IMAGES)
    assert through.sum() == IMAGES.numel()
    assert torch.equal(through, through.round())


def placed(canvas):
    """Where on a canvas of ones and zeros the ones are: (top, left, side) of each image."""
    found = []
    for image in canvas[:, 0]:
        rows, columns = (torch.nonzero(image.any(dim=dimension)).flatten() for dimension in (1, 0))
        assert len(rows) == len(columns)
        assert bool((image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] == 1).all())
        found.append((int(rows[0]), int(columns[0]), len(rows)))
    return found


def test_every_side_and_place_comes_up_and_no_other():
    white = torch.ones(4000, 1, 4, 4)
    canvas = resizing().transform(white)
    assert canvas.shape == (4000, 1, 6, 6)
    found = placed(canvas)
    legal = {(top, left, side) for side in (4, 5) for top in range(7 - side) for left in range(7 - side)}
    assert set(found) == legal
    assert set(torch.unique(canvas).tolist()) == {0.0, 1.0}


def test_sides_are_equally_likely_and_so_are_places():
    found = placed(resizing().transform(torch.ones(4000, 1, 4, 4)))
    share = sum(side == 4 for _, _, side in found) / 4000
    assert abs(share - 0.5) < 4 * (0.25 / 4000) ** 0.5
    corner = sum(place == (0, 0, 5) for place in found) / 4000
    assert abs(corner - 0.125) < 4 * (0.125 * 0.875 / 4000) ** 0.5


def test_a_resized_image_is_pytorchs_nearest_neighbour_of_it():
    canvas = resizing(pad_factor=2.0).transform(IMAGES)
    shown = resizing(pad_factor=2.0).transform(torch.ones_like(IMAGES))
    for image, result, (top, left, side) in zip(IMAGES, canvas, placed(shown), strict=True):
        expected = nn.functional.interpolate(image[None], size=(side, side), mode="nearest")[0]
        assert torch.equal(result[:, top : top + side, left : left + side], expected)
        assert torch.isclose(result.sum(), expected.sum())


def test_images_of_one_batch_have_draws_of_their_own_and_a_seed_repeats_them():
    one, again, other = (resizing(seed=seed).transform(IMAGES) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert len(set(placed(resizing().transform(torch.ones(50, 1, 12, 12))))) > 10


def test_every_shown_pixel_gets_the_gradient_of_all_its_copies():
    leaf = IMAGES.clone().requires_grad_()
    canvas = resizing(pad_factor=2.0).transform(leaf)
    (found,) = torch.autograd.grad(canvas.sum(), leaf)
    sides = [side for _, _, side in placed(resizing(pad_factor=2.0).transform(torch.ones_like(IMAGES)))]
    assert found.sum(dim=(1, 2, 3)).tolist() == [3.0 * side * side for side in sides]
    assert (found >= 1).all()


def test_derandomised_images_are_left_as_they_are():
    defence = resizing()
    with defence.derandomised():
        assert defence.transform(IMAGES) is IMAGES
    assert defence.live


def test_the_papers_factor_makes_the_papers_canvas():
    assert resizing(pad_factor=1.107).transform(torch.ones(1, 1, 299, 299)).shape[-1] == 331
    assert resizing(pad_factor=1.107).transform(torch.ones(1, 1, 32, 32)).shape[-1] == 36
