from collections import Counter

import torch
from torch.nn import functional as F  # noqa: N812

from workers.spec.training import TrainingSpec
from workers.train.augment import augmented


def changed(images, *, seed=0, **settings):
    return augmented(images, TrainingSpec(epochs=1, **settings), torch.Generator().manual_seed(seed))


def placed(count, *, height=5, width=7):
    """Images in which every pixel has a value of its own, above 0, in every channel."""
    return torch.arange(1, count * 3 * height * width + 1, dtype=torch.float32).view(count, 3, height, width)


def test_nothing_is_drawn_and_nothing_changes_unless_asked():
    generator = torch.Generator().manual_seed(0)
    before, images = generator.get_state(), placed(2)
    assert augmented(images, TrainingSpec(epochs=1), generator) is images
    assert torch.equal(generator.get_state(), before)


def test_a_crop_is_one_of_those_of_the_padded_image():
    padding, images = 2, placed(40)
    bordered = F.pad(images, [padding] * 4)
    for cropped, whole in zip(changed(images, crop_padding=padding), bordered, strict=True):
        places = [(top, left) for top in range(5) for left in range(5) if torch.equal(whole[:, top : top + 5, left : left + 7], cropped)]
        assert len(places) == 1


def test_every_place_is_as_likely_and_each_image_has_its_own():
    count, padding = 9000, 1
    images = placed(1).expand(count, -1, -1, -1)
    # The value in the middle of a 5x7 image says where the crop lies: 3 x 3 places.
    found = Counter(changed(images, crop_padding=padding)[:, 0, 2, 3].tolist())
    assert len(found) == 9
    assert all(abs(times - 1000) < 4 * (9000 * (1 / 9) * (8 / 9)) ** 0.5 for times in found.values())


def test_images_are_mirrored_and_cropped_at_once_and_the_given_ones_stay():
    images = placed(200)
    kept = images.clone()
    seen = changed(images, horizontal_flip=True, crop_padding=1)
    assert torch.equal(images, kept)
    rising = (seen[:, 0, 2, 3] > seen[:, 0, 2, 2]).sum()
    assert 100 - 29 < int(rising) < 100 + 29  # four standard deviations
    assert seen.shape == images.shape
    assert bool((seen == 0).any())


def test_equal_generators_give_equal_images_and_others_do_not():
    images = placed(50)
    first, again, other = (changed(images, crop_padding=2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
