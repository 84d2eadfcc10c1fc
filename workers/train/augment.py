"""Random augmentation of training images and waveforms on the device, which keeps their classes.

What moves or blackens pixels is one gather or mask for the whole batch. By torchvision.transforms.v2, applied to each image by itself,
mirroring and cropping took 11,200 images/s against 36,500 (128 images of side 32, one core). Its policies, which have no such form, are
applied to each image; torchvision and torchaudio draw from PyTorch's global generator, which is seeded for them and put back.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

from workers.spec.fields import Augmentation
from workers.spec.training import TrainingSpec

Policy = Callable[[Tensor], Tensor]
"""From one image (channels, height, width) in [0, 1] to another; it draws from PyTorch's global generator."""


@cache
def policy(name: Augmentation) -> Policy:
    """Return a policy: `autoaugment` (Cubuk et al., 2019, that for CIFAR-10), `randaugment` (Cubuk et al., 2020, two operations of
    magnitude 9), `trivialaugment` (Mueller & Hutter, 2021), or one like `idbh` (Li & Spratling, 2023).

    The last is a crop that moves, one of several mild changes of colour or shape, and at times an erased rectangle: diverse and
    nearly harmless, against robust overfitting. Mirroring is a setting of its own.
    """
    from torchvision.transforms import v2  # its import takes longer than PyTorch's, and few trainings have a policy

    policies: dict[str, Callable[[], Policy]] = {
        "autoaugment": lambda: v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10),
        "idbh": _idbh,
        "randaugment": v2.RandAugment,
        "trivialaugment": v2.TrivialAugmentWide,
    }
    return policies[name]()


class _CropShift(torch.nn.Module):
    """Crop an image by up to a share of its side in each direction and put it elsewhere on black (Li & Spratling, 2023)."""

    most = 0.3

    def forward(self, image: Tensor) -> Tensor:
        found = torch.zeros_like(image)
        taken, put = [], []
        for side in image.shape[1:]:
            lost = int(torch.randint(int(self.most * side) + 1, ()))
            first, place = torch.randint(lost + 1, (2,)).tolist()
            taken.append(slice(first, first + side - lost))
            put.append(slice(place, place + side - lost))
        found[:, put[0], put[1]] = image[:, taken[0], taken[1]]
        return found


def _idbh() -> Policy:
    from torchvision.transforms import v2

    mild = [
        v2.Identity(),
        v2.ColorJitter(brightness=0.5),
        v2.ColorJitter(contrast=0.5),
        v2.ColorJitter(saturation=0.5),
        v2.RandomAdjustSharpness(2.0, p=1.0),
        v2.RandomAutocontrast(p=1.0),
        v2.RandomAffine(degrees=15),
        v2.RandomAffine(degrees=0, shear=(-15, 15, -15, 15)),
    ]
    composed: Policy = v2.Compose([_CropShift(), v2.RandomChoice(mild), v2.RandomErasing(p=0.5, scale=(0.02, 0.2))])
    return composed


_HALF = 0.5
_WINDOW, _HOP = 400, 160
"""Of SpecAugment's spectrogram, in samples: 25 and 10 ms at 16 kHz."""


def augmented(inputs: Tensor, settings: TrainingSpec, generator: torch.Generator) -> Tensor:
    """Change the inputs (batch, *shape) at random, each independently, as set; those of a training that sets nothing are returned as they
    are.

    Args:
        inputs: images (batch, channels, height, width) in [0, 1], or waveforms (batch, channels, samples) in [-1, 1].
        settings: of the training: `horizontal_flip`, `crop_padding`, `augmentation` (see `workers.train.augment`) and `cutout`
            (DeVries & Taylor, 2017) of images; `time_shift`, `background_noise` and `spectrogram_masks` (Park et al., 2019) of waveforms.
        generator: on the inputs' device.
    """
    if settings.horizontal_flip:
        inputs = _flipped(inputs, generator)
    if settings.crop_padding is not None:
        inputs = _cropped(inputs, settings.crop_padding, generator)
    if settings.augmentation != "none":
        inputs = _by_policy(inputs, settings.augmentation, generator)
    if settings.cutout is not None:
        inputs = _cut_out(inputs, settings.cutout, generator)
    if settings.time_shift > 0:
        inputs = _shifted(inputs, int(settings.time_shift * inputs.shape[-1]), generator)
    if settings.background_noise > 0:
        inputs = _noisy(inputs, settings.background_noise, generator)
    return inputs if settings.spectrogram_masks == 0 else _masked(inputs, settings.spectrogram_masks, generator)


def _flipped(images: Tensor, generator: torch.Generator) -> Tensor:
    flipped = torch.rand(len(images), generator=generator, device=images.device) < _HALF
    return torch.where(flipped[:, None, None, None], images.flip(-1), images)


def _cropped(images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """Crop as torchvision's `RandomCrop(size, padding)`, at a random place for each image: one gather for the whole batch."""
    batch, channels, height, width = images.shape
    padded = F.pad(images, [padding] * 4)
    tops, lefts = torch.randint(2 * padding + 1, (2, batch, 1), generator=generator, device=images.device)
    rows = (tops + torch.arange(height, device=images.device))[:, None, :, None]
    columns = (lefts + torch.arange(width, device=images.device))[:, None, None, :]
    examples = torch.arange(batch, device=images.device)[:, None, None, None]
    return padded[examples, torch.arange(channels, device=images.device)[None, :, None, None], rows, columns]


def _by_policy(images: Tensor, name: Augmentation, generator: torch.Generator) -> Tensor:
    from workers.train.augment import policy

    change = policy(name)
    with _seeded_by(generator):
        return torch.stack([change(image) for image in images.cpu()]).to(images.device).clamp(0, 1)


@contextmanager
def _seeded_by(generator: torch.Generator) -> Iterator[None]:
    """Inside, PyTorch's global generator of the CPU draws what the generator seeds it with."""
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _cut_out(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Blacken a square of so many pixels a side around a random pixel of each image, as far as it is inside."""
    within = []
    for length in images.shape[2:]:
        first = torch.randint(length, (len(images), 1), generator=generator, device=images.device) - side // 2
        places = torch.arange(length, device=images.device)
        within.append((places >= first) & (places < first + side))
    rows, columns = within
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)


def _shifted(waveforms: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Move each waveform by at most so many samples either way; silence comes in."""
    starts = torch.randint(2 * most + 1, (len(waveforms), 1, 1), generator=generator, device=waveforms.device)
    places = (starts + torch.arange(waveforms.shape[-1], device=waveforms.device)).expand_as(waveforms)
    return F.pad(waveforms, [most, most]).gather(-1, places)


def _noisy(waveforms: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """Add white noise at a level, relative to the waveform's own root mean square, that is uniform in [0, most]."""
    levels = torch.rand(len(waveforms), 1, 1, generator=generator, device=waveforms.device) * most
    noise = torch.randn(waveforms.shape, generator=generator, device=waveforms.device)
    return (waveforms + noise * levels * waveforms.square().mean(dim=(1, 2), keepdim=True).sqrt()).clamp(-1, 1)


def _masked(waveforms: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """Blank a band of frequencies and a stretch of time of each waveform's spectrogram, both of widths uniform up to this share."""
    from torchaudio.functional import mask_along_axis_iid

    batch, channels, samples = waveforms.shape
    window = torch.hann_window(_WINDOW, device=waveforms.device)
    spectra = torch.stft(waveforms.flatten(0, 1), _WINDOW, _HOP, window=window, return_complex=True)
    kept = torch.ones(batch, 1, *spectra.shape[1:])
    with _seeded_by(generator):
        for axis in (2, 3):
            kept = mask_along_axis_iid(kept, mask_param=int(most * kept.shape[axis]), mask_value=0.0, axis=axis)
    blanked = spectra.unflatten(0, (batch, channels)) * kept.to(waveforms.device)
    found = torch.istft(blanked.flatten(0, 1), _WINDOW, _HOP, window=window, length=samples)
    return found.view_as(waveforms).clamp(-1, 1)
