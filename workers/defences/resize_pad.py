"""Random resizing and padding (Xie et al., 2018): each image enlarged by a random amount and put at a random place on a canvas.

Not by torchvision.transforms.v2.functional, whose resize and pad take one side and one place a batch: image by image they made 16,700
images/s, this 42,300 (with the gradient 9,500 and 20,800; 128 images of side 32, one core). Its nearest pixel differs for some sides.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from workers.defences.base import Defence
from workers.registry import defence
from workers.spec.fields import Interval

if TYPE_CHECKING:
    from torch import Tensor

Enlargement = Annotated[float, AfterValidator(Interval(1, 2, low_open=True))]


@defence(randomised=True, modalities=("image",))
class RandomResizePad(Defence):
    """Random resizing: images of side n are resized to a random side in [n, m), m = `pad_factor` * n rounded up, and padded with
    zeros on all four sides at random, to side m. Put around a trained network, which must take images of that side.

    As in the paper's code (299 to 331) the side is uniform over whole numbers, m excluded, and pixels are taken by nearest neighbour;
    every place on the canvas is equally likely. Each image has its own draw. Zeros are in the data set's units, black. Inside
    `full_weights` images are unchanged: the attacker then sees the network without the defence (the paper's vanilla attack).
    Gradients are exact: an attacker differentiates under a fresh draw.
    """

    def __init__(self, *, pad_factor: Enlargement = 1.107) -> None:
        self._factor = pad_factor

    def transform(self, inputs: Tensor) -> Tensor:
        """Resize square images (batch, channels, n, n) to (batch, channels, m, m)."""
        if not self.live:
            return inputs
        side = inputs.shape[-1]
        return self._placed(inputs, largest=math.ceil(self._factor * side))

    def _placed(self, inputs: Tensor, *, largest: int) -> Tensor:
        import torch

        batch, side = len(inputs), inputs.shape[-1]
        chance = self.uniform((batch, 3), inputs.device, owner=self).t()[..., None]
        # A share of almost 1 may round up to the number of choices.
        sides = side + (chance[0] * (largest - side)).long().clamp(max=largest - side - 1)
        tops, lefts = ((share * (largest - sides + 1)).long().minimum(largest - sides) for share in chance[1:])
        rows, row_inside = _source(tops, sides, side=side, largest=largest)
        columns, column_inside = _source(lefts, sides, side=side, largest=largest)
        examples = torch.arange(batch, device=inputs.device)[:, None, None]
        canvas = inputs.movedim(1, -1)[examples, rows[:, :, None], columns[:, None, :]]
        inside = row_inside[:, :, None] & column_inside[:, None, :]
        return (canvas * inside[..., None]).movedim(-1, 1)


def _source(offsets: Tensor, sides: Tensor, *, side: int, largest: int) -> tuple[Tensor, Tensor]:
    """Return for each place along one side of the canvas, (batch, largest), its place in the image, and a flag: inside the image.

    Args:
        offsets: start of the resized image, (batch, 1).
        sides: its side, (batch, 1).
        side: the original image's side.
        largest: the canvas's.
    """
    import torch

    places = torch.arange(largest, device=offsets.device) - offsets
    inside = (places >= 0) & (places < sides)
    return (places * side // sides).clamp(0, side - 1), inside
