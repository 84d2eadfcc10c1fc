"""Policies of torchvision's transforms v2 that change each training image at random."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torchvision.transforms import v2

from workers.spec.fields import Augmentation

Policy = Callable[[Tensor], Tensor]
"""From one image (channels, height, width) in [0, 1] to another; it draws from PyTorch's global generator."""


@cache
def policy(name: Augmentation) -> Policy:
    """Return a policy: `autoaugment` (Cubuk et al., 2019, that for CIFAR-10), `randaugment` (Cubuk et al., 2020, two operations of
    magnitude 9), `trivialaugment` (Mueller & Hutter, 2021), or one like `idbh` (Li & Spratling, 2023).

    The last is a crop that moves, one of several mild changes of colour or shape, and at times an erased rectangle: diverse and
    nearly harmless, against robust overfitting. Mirroring is a setting of its own.
    """
    return _POLICIES[name]()


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


_POLICIES: dict[Augmentation, Callable[[], Policy]] = {
    "autoaugment": lambda: v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10),
    "idbh": _idbh,
    "randaugment": v2.RandAugment,
    "trivialaugment": v2.TrivialAugmentWide,
}
