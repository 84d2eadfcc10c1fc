"""Numbers of each evaluated example, packed: its predicted class, margin of logits and perturbation's size. Imports no torch."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.components.settings import Frozen

_CLASS, _NUMBER = np.dtype("<u2"), np.dtype("<f2")
BYTES_EACH = _NUMBER.itemsize
"""Size of each of an example's numbers."""
Numbers = NDArray[np.float64]


class Spent(Frozen):
    """Cost of an attack, in examples: those that went `forward` through the net, the `queries` among these for which no gradient was to
    follow, and those for which one was taken (`backward`). The evaluation afterwards is not counted."""

    forward: int
    backward: int
    queries: int


class PerExample(Frozen):
    """Numbers of each evaluated example, base64 of little-endian 16-bit values, in the data set's fixed order.

    `classes` are the predicted ones, by the mean logits over the draws. `margins` are the logit of the true class less the largest other
    one, the mean over the draws: negative where it is wrong. `sizes` are those of the perturbations in the attack's norm and input
    units; of a minimum-norm attack the smallest that succeeded, infinite where none did; empty without attack.

    Where an attack was given what others had left, the numbers of the other examples are those of the attack that fooled them; of a suite
    they are those of the part that harms an example most.
    """

    classes: str
    margins: str
    sizes: str = ""

    @classmethod
    def pack(cls, classes: NDArray[np.integer], margins: NDArray[np.floating], sizes: NDArray[np.floating] | None = None) -> "PerExample":
        return cls(classes=_packed(classes, _CLASS), margins=packed_numbers(margins), sizes="" if sizes is None else packed_numbers(sizes))

    @classmethod
    def picked(cls, numbers: "Sequence[PerExample]", which: NDArray[np.intp]) -> "PerExample":
        """Return of each example those numbers whose place is in `which`, (examples,); sizes only where all have them."""
        classes, margins, sizes = zip(*(found.arrays for found in numbers), strict=True)
        known = [found for found in sizes if found is not None]
        return cls.pack(_of_each(classes, which), _of_each(margins, which), _of_each(known, which) if len(known) == len(sizes) else None)

    @classmethod
    def joined(cls, numbers: "Sequence[PerExample]") -> "PerExample":
        """Return the numbers of all their examples, one after the other; sizes only where all have them."""
        classes, margins, sizes = zip(*(found.arrays for found in numbers), strict=True)
        known = [found for found in sizes if found is not None]
        of_all = np.concatenate(known) if len(known) == len(sizes) else None
        return cls.pack(np.concatenate(classes), np.concatenate(margins), of_all)

    def at(self, places: NDArray[np.intp]) -> "PerExample":
        """Return the numbers of the examples at these places, in their order."""
        classes, margins, sizes = self.arrays
        return PerExample.pack(classes[places], margins[places], None if sizes is None else sizes[places])

    @property
    def arrays(self) -> tuple[NDArray[np.int64], Numbers, Numbers | None]:
        """Classes, margins and sizes, (examples,) each."""
        classes, margins = np.frombuffer(base64.b64decode(self.classes), dtype=_CLASS), base64.b64decode(self.margins)
        return classes.astype(np.int64), np.frombuffer(margins, dtype=_NUMBER).astype(np.float64), unpacked_numbers(as_bytes(self.sizes))


@dataclass(frozen=True, kw_only=True, slots=True)
class ExampleNumbers:
    """Stored numbers of each example that a job evaluated, (examples,) each: see `PerExample`. None where it is not known."""

    classes: NDArray[np.int64] | None
    margins: Numbers | None
    sizes: Numbers | None


def packed_numbers(values: NDArray[np.floating]) -> str:
    """Return numbers as base64 of 16-bit floats; those beyond their range, but finite ones, are the largest of them."""
    wide = np.asarray(values, dtype=np.float64)
    most = float(np.finfo(np.float16).max)
    return _packed(np.where(np.isfinite(wide), np.clip(wide, -most, most), wide), _NUMBER)


def unpacked_numbers(packed: bytes | None) -> Numbers | None:
    """Return numbers of each example; None of none."""
    return np.frombuffer(packed, dtype=_NUMBER).astype(np.float64) if packed else None


def unpacked_classes(packed: bytes | None) -> NDArray[np.int64] | None:
    """Return the class of each example; None of none."""
    return np.frombuffer(packed, dtype=_CLASS).astype(np.int64) if packed else None


def as_bytes(text: str) -> bytes | None:
    """Return the bytes of base64; None of an empty text."""
    return base64.b64decode(text) if text else None


def _packed(values: NDArray[np.generic], kind: np.dtype[np.generic]) -> str:
    return base64.b64encode(values.astype(kind).tobytes()).decode()


def _of_each(values: Sequence[NDArray[Any]], which: NDArray[np.intp]) -> NDArray[Any]:
    chosen: NDArray[Any] = np.take_along_axis(np.stack(values), which[None], axis=0)[0]
    return chosen
