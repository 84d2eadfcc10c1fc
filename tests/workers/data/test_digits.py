import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.nn import functional as F  # noqa: N812

from tests.workers.small import DIGITS

DATA = DIGITS.load(None)


def test_both_splits_have_the_announced_sizes_and_kinds():
    for part, count in zip((DATA.train, DATA.test), DIGITS.sizes(None), strict=True):
        assert part.inputs.shape == (count, *DIGITS.info.shape) == (count, 3, 32, 32)
        assert part.labels.shape == (count,)
        assert (part.inputs.dtype, part.labels.dtype) == (np.float32, np.int64)


def test_inputs_fill_the_range_from_zero_to_one():
    inputs = np.concatenate([DATA.train.inputs, DATA.test.inputs])
    assert (inputs.min(), inputs.max()) == (0, 1)


def test_every_scan_is_in_exactly_one_split_with_its_label():
    scans, labels = load_digits(return_X_y=True)
    enlarged = F.interpolate(torch.from_numpy(scans.reshape(-1, 1, 8, 8)) / 16, size=32, mode="bilinear", align_corners=False)
    inputs = np.concatenate([DATA.train.inputs, DATA.test.inputs])[:, 0].reshape(-1, 1024)
    found = np.concatenate([DATA.train.labels, DATA.test.labels])
    places = torch.cdist(torch.from_numpy(inputs), enlarged.flatten(1).float()).argmin(dim=1)
    assert sorted(places.tolist()) == list(range(1797))
    np.testing.assert_allclose(inputs, enlarged.flatten(1)[places], rtol=0, atol=1e-6)
    assert found.tolist() == labels[places].tolist()


def test_images_are_bilinear_enlargements_with_equal_channels():
    scans = load_digits().images[np.random.default_rng(0).permutation(1797)][:400] / 16
    expected = F.interpolate(torch.from_numpy(scans)[:, None], size=32, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(DATA.test.inputs, expected.expand(-1, 3, -1, -1).numpy(), rtol=0, atol=1e-6)


def test_the_normalisation_is_the_training_splits_mean_and_deviation():
    np.testing.assert_allclose(DATA.train.inputs.mean(axis=(0, 2, 3)), DIGITS.info.mean, atol=5e-3)
    np.testing.assert_allclose(DATA.train.inputs.std(axis=(0, 2, 3)), DIGITS.info.std, atol=5e-3)


def test_every_class_is_in_both_splits():
    assert set(DATA.train.labels) == set(DATA.test.labels) == set(range(DIGITS.info.n_classes))
