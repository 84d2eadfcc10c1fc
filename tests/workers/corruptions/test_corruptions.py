"""Common corruptions against SciPy, Pillow and the published formulas written out."""

import colorsys
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from workers.corruptions.filters.draws import ExampleDraws, example_seeds
from workers.corruptions.filters.image_filters import defocused, gaussian, moved, sampled, zoomed
from workers.errors import JobError
from workers.measure.corrupted import corrupted
from workers.registry import CORRUPTIONS
from workers.spec.corruption import SEVERITIES, CorruptionSpec, published

IMAGES = (torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 3, 32, 32))).float() / 255).contiguous()
SMOOTH = (torch.from_numpy(ndimage.gaussian_filter(IMAGES.numpy(), (0, 0, 3, 3)) * 3 - 1).clamp(0, 1) * 255).round() / 255
NAMES = CORRUPTIONS.names()


def at(name: str, images: torch.Tensor, severity: int = 3, **given: int) -> torch.Tensor:
    return corrupted(images, CorruptionSpec(name=name, severity=severity, **given))


def test_the_published_kinds_are_the_benchmark_s_without_frost():
    assert published() == (
        "brightness", "contrast", "defocus_blur", "elastic_transform", "fog", "gaussian_noise", "glass_blur", "impulse_noise",
        "jpeg_compression", "motion_blur", "pixelate", "shot_noise", "snow", "zoom_blur",
    )  # fmt: skip
    assert set(NAMES) - set(published()) == {"gaussian_blur", "saturate", "speckle_noise"}


@pytest.mark.parametrize("name", NAMES)
def test_every_corruption_is_an_image_and_depends_on_the_image_and_the_seed_alone(name):
    whole = at(name, SMOOTH)
    assert whole.shape == SMOOTH.shape
    assert ((whole * 255).round() / 255 == whole).all()
    assert 0 <= whole.min() <= whole.max() <= 1
    assert not torch.equal(whole, SMOOTH)
    order = torch.tensor([4, 1, 3])
    assert torch.equal(at(name, SMOOTH[order]), whole[order])
    assert torch.equal(at(name, SMOOTH), whole)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 8, 8), (3, 20, 48), (1, 64, 64)], ids=str)
def test_images_of_any_size_with_one_channel_or_three(shape):
    images = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    for name in NAMES:
        assert at(name, images, 5).shape == images.shape, name


def test_another_seed_draws_other_noise():
    assert not torch.equal(at("gaussian_noise", SMOOTH, seed=1), at("gaussian_noise", SMOOTH))


@pytest.mark.parametrize("name", ["gaussian_noise", "shot_noise", "impulse_noise", "fog", "contrast", "zoom_blur", "snow", "brightness"])
def test_a_higher_severity_changes_more(name):
    changes = [float((at(name, SMOOTH, severity) - SMOOTH).abs().mean()) for severity in SEVERITIES]
    assert changes == sorted(changes)


def test_noises_have_the_published_strengths():
    grey = torch.full((4, 3, 64, 64), 128 / 255)
    grey = grey + torch.arange(4)[:, None, None, None] / 255
    found = {name: at(name, grey, 2) - grey for name in ("gaussian_noise", "shot_noise", "speckle_noise", "impulse_noise")}
    assert abs(float(found["gaussian_noise"].std()) - 0.06) < 0.001
    assert abs(float(found["shot_noise"].std()) - math.sqrt(0.508 / 250)) < 0.001
    assert abs(float(found["speckle_noise"].std()) - 0.1 * 0.508) < 0.001
    assert abs(float((found["impulse_noise"].abs() > 0.1).float().mean()) - 0.02) < 0.002


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.5])
def test_a_gaussian_blur_is_scipy_s(sigma):
    expected = ndimage.gaussian_filter(IMAGES.numpy(), (0, 0, sigma, sigma), mode="nearest")
    np.testing.assert_allclose(gaussian(IMAGES, sigma).numpy(), expected, atol=1e-5)
    symmetric = ndimage.gaussian_filter(IMAGES.numpy(), (0, 0, sigma, sigma), mode="reflect", truncate=3)
    np.testing.assert_allclose(gaussian(IMAGES, sigma, border="symmetric", truncate=3).numpy(), symmetric, atol=1e-5)


def test_a_disk_of_a_pixel_and_a_half_holds_nine_pixels():
    point = torch.zeros(1, 1, 9, 9)
    point[0, 0, 4, 4] = 1
    spread = defocused(point, 1.5, softness=0.1)[0, 0]
    assert torch.allclose(spread[3:6, 3:6], torch.full((3, 3), 1 / 9), atol=1e-6)
    assert abs(float(spread.sum()) - 1) < 1e-6


def test_motion_goes_along_its_line_and_is_half_a_gaussian():
    point = torch.zeros(2, 1, 21, 21)
    point[:, 0, 10, 10] = 1
    found = moved(point, 6, sigma=2.0, degrees=torch.tensor([0.0, 90.0]))
    weights = np.exp(-(np.arange(13) ** 2) / 8)
    weights /= weights.sum()
    np.testing.assert_allclose(found[0, 0, 10, :11].flip(0).numpy(), weights[:11], atol=1e-6)
    np.testing.assert_allclose(found[1, 0, :11, 10].flip(0).numpy(), weights[:11], atol=1e-6)


@pytest.mark.parametrize("factor", [1.0, 1.05, 1.25, 1.75])
def test_a_zoom_is_scipy_s(factor):
    image = IMAGES[0].permute(1, 2, 0).numpy()
    inner = math.ceil(32 / factor)
    top = (32 - inner) // 2
    larger = ndimage.zoom(image[top : top + inner, top : top + inner], (factor, factor, 1), order=1)
    trim = (larger.shape[0] - 32) // 2
    expected = larger[trim : trim + 32, trim : trim + 32].transpose(2, 0, 1)
    np.testing.assert_allclose(zoomed(IMAGES[:1], factor)[0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("with_edge", "mode"), [(True, "reflect"), (False, "mirror")])
def test_sampling_between_pixels_is_scipy_s(with_edge, mode):
    places = np.random.default_rng(1).uniform(-6, 38, (2, 32, 32))
    expected = np.stack([ndimage.map_coordinates(channel, places, order=1, mode=mode) for channel in IMAGES[0].numpy()])
    rows, columns = torch.from_numpy(places)[:, None]
    np.testing.assert_allclose(sampled(IMAGES[:1], rows, columns, mirrored_with_edge=with_edge)[0].numpy(), expected, atol=1e-4)


def test_brightness_and_saturation_keep_the_hue():
    pixels = IMAGES[0].permute(1, 2, 0).reshape(-1, 3).double().numpy()[:200]
    hsv = [colorsys.rgb_to_hsv(*pixel) for pixel in pixels]
    brighter = [colorsys.hsv_to_rgb(h, s, min(v + 0.15, 1)) for h, s, v in hsv]
    fuller = [colorsys.hsv_to_rgb(h, min(s * 2 + 0.1, 1), v) for h, s, v in hsv]
    for name, severity, expected in (("brightness", 3, brighter), ("saturate", 4, fuller)):
        found = at(name, IMAGES[:1], severity)[0].permute(1, 2, 0).reshape(-1, 3)[:200].numpy()
        assert np.abs(found - np.array(expected)).max() <= 1 / 255 + 1e-6


def test_contrast_is_about_the_channel_s_mean():
    means = IMAGES.mean(dim=(2, 3), keepdim=True)
    assert float((at("contrast", IMAGES, 5) - (0.15 * (IMAGES - means) + means)).abs().max()) <= 1 / 255 + 1e-6


def test_jpeg_and_pixelate_are_pillow_s():
    image = Image.fromarray((SMOOTH[0] * 255).byte().permute(1, 2, 0).numpy())
    content = io.BytesIO()
    image.save(content, "JPEG", quality=50)
    pixelated = image.resize((24, 24), Image.Resampling.BOX).resize((32, 32), Image.Resampling.BOX)
    for name, expected in (("jpeg_compression", Image.open(content)), ("pixelate", pixelated)):
        assert np.array_equal((at(name, SMOOTH[:1], 4)[0] * 255).round().byte().permute(1, 2, 0).numpy(), np.asarray(expected))


def test_fog_is_in_the_range_of_the_image_and_its_clouds_differ():
    flat = torch.full((2, 3, 32, 32), 0.5)
    flat[1, :, 0, 0] = 0.51
    found = at("fog", flat, 5)
    assert float(found.max()) <= 0.51
    assert float(found[0].std()) > 0.02
    assert not torch.allclose(found[0], found[1], atol=0.02)


def test_draws_of_an_example_do_not_depend_on_the_others():
    seeds = list(example_seeds(IMAGES, purpose="fog", seed=0))
    together, alone = ExampleDraws(seeds, IMAGES.device), ExampleDraws(seeds[2:3], IMAGES.device)
    assert torch.equal(together.normal(5)[2], alone.normal(5)[0])
    assert torch.equal(together.integers(4, low=-1, high=1)[2], alone.integers(4, low=-1, high=1)[0])
    assert len(set(seeds)) == len(IMAGES)


@pytest.mark.parametrize("shape", [(1, 100), (4, 8, 8)], ids=str)
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(JobError, match=r"corruption fog: inputs of shape \(.*\): must be images of 1 or 3 channels"):
        at("fog", torch.zeros(2, *shape))
