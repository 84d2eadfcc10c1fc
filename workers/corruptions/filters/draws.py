"""Random numbers of a batch, from a generator of its own for each example, so that no draw depends on the batch that it is made in."""

import hashlib
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

_LEVELS = 255


class ExampleDraws:
    """Draws for each example of a batch: tensors (batch, *shape) on the batch's device, made on the CPU and therefore equal everywhere.

    Args:
        seeds: of each example.
        device: where the tensors are to be.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._device = device

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Draw float32 values that are uniform in [low, high)."""
        return self._each(lambda generator: torch.rand(shape, generator=generator)) * (high - low) + low

    def normal(self, *shape: int) -> Tensor:
        """Draw standard normal float32 values."""
        return self._each(lambda generator: torch.randn(shape, generator=generator))

    def integers(self, *shape: int, low: int, high: int) -> Tensor:
        """Draw whole numbers that are uniform in [low, high)."""
        return self._each(lambda generator: torch.randint(low, high, shape, generator=generator))

    def poisson(self, rates: Tensor) -> Tensor:
        """Draw Poisson counts of these rates, (batch, *shape)."""
        every = iter(rates.cpu())
        return self._each(lambda generator: torch.poisson(next(every), generator=generator))

    def _each(self, draw: Callable[[torch.Generator], Tensor]) -> Tensor:
        return torch.stack([draw(generator) for generator in self._generators]).to(self._device)


def example_seeds(images: Tensor, *, purpose: str, seed: int) -> Iterator[int]:
    """Yield a 63-bit seed for each image, (batch, channels, height, width) in [0, 1], by what is in it: the same wherever it stands."""
    for pixels in (images * _LEVELS).round().to(torch.uint8).cpu():
        digest = hashlib.sha256(f"{seed}/{purpose}/".encode() + pixels.numpy().tobytes()).digest()
        yield int.from_bytes(digest[:8], "big") >> 1
