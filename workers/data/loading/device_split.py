"""A data set's split as tensors on the compute device, or streamed to it from a memory-mapped file."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.data.loading.array_cache import Rows, release
from workers.data.loading.source import Split, first_places
from workers.spec.fields import ExampleOrder

STREAMED_BYTES = 2**28
"""Memory-mapped inputs of more bytes than this are streamed on the CPU."""
_KEPT_BYTES = 2**24
_LEVELS = {torch.uint8: 255, torch.int16: 32_768}
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class DeviceSplit:
    """Inputs (examples, *shape), float32, uint8 or int16 (see `Split`), and labels (examples,), both on one device.

    Of a streamed split the inputs are a `stream`'s, which has them in a file; `inputs` is then empty.
    """

    inputs: Tensor
    labels: Tensor
    stream: "_Stream | None" = None

    @classmethod
    def put(
        cls,
        split: Split,
        device: torch.device,
        *,
        count: int | None = None,
        order: ExampleOrder = "balanced",
        among: NDArray[np.int64] | None = None,
    ) -> "DeviceSplit":
        """Return the first `count` examples of a split (see `Split.first`), or of those at the places `among` them.

        They are streamed where they are of a memory-mapped file and large: more than `STREAMED_BYTES`, or on a GPU than a quarter of what
        is free there. Batches are the same either way.
        """
        places = split.places(count, order=order) if among is None else _first_of(split, among, count, order)
        labels = torch.from_numpy(split.labels if places is None else split.labels[places]).to(device)
        if not split.is_mapped or split.inputs[:1].nbytes * len(labels) <= _most(device):
            return cls(torch.from_numpy(split.inputs if places is None else split.inputs[places]).to(device), labels)
        rows = None if places is None else torch.from_numpy(places)
        return cls(torch.empty(0, device=device), labels, _Stream(split.inputs, rows, device))

    @property
    def device(self) -> torch.device:
        return self.labels.device

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, chosen: NDArray[np.bool_]) -> "DeviceSplit":
        """Return the examples whose flag is set, in their order."""
        return self.at(chosen.nonzero()[0])

    def at(self, chosen: NDArray[np.int64]) -> "DeviceSplit":
        """Return the examples at these places, in their order."""
        places = torch.from_numpy(chosen)
        labels = self.labels[places.to(self.device)]
        if self.stream is not None:
            return replace(self, labels=labels, stream=self.stream.of(places))
        return replace(self, inputs=self.inputs[places.to(self.device)], labels=labels)

    def batch(self, chosen: Tensor | slice) -> Batch:
        """Return inputs as float32 in input units (images in [0, 1], waveforms in [-1, 1]), and labels, of the chosen examples."""
        return self._scaled(self.inputs[chosen] if self.stream is None else self.stream.read(chosen)), self.labels[chosen]

    def batches(self, order: Tensor, size: int) -> Iterator[Batch]:
        """Yield batches of `size` of the examples in an order; of a streamed split one is read while the one before it is in use."""
        if self.stream is None:
            yield from map(self.batch, order.split(size))
            return
        for chosen, inputs in zip(order.split(size), self.stream.read_ahead(order.cpu().split(size)), strict=True):
            yield self._scaled(inputs), self.labels[chosen]

    @staticmethod
    def _scaled(inputs: Tensor) -> Tensor:
        levels = _LEVELS.get(inputs.dtype)
        return inputs if levels is None else inputs.float() / levels


def _first_of(split: Split, among: NDArray[np.int64], count: int | None, order: ExampleOrder) -> NDArray[np.int64]:
    """Return the places of the first `count` examples (None: all) in an order of those that are `among`."""
    return among if count is None else among[first_places(split.labels[among], count, order)]


def _most(device: torch.device) -> int:
    """Return the largest number of bytes of memory-mapped inputs that are put on the device as a whole."""
    return torch.cuda.mem_get_info(device)[0] // 4 if device.type == "cuda" else STREAMED_BYTES


@dataclass(frozen=True)
class _Stream:
    """Inputs in a memory-mapped file, and their order in it (None: the file's)."""

    rows: Rows
    order: Tensor | None
    device: torch.device
    taken: list[int] = field(default_factory=lambda: [0])

    def of(self, places: Tensor) -> "_Stream":
        """Return the stream of the inputs at these places, on the CPU, alone."""
        return replace(self, order=places if self.order is None else self.order[places])

    def read(self, chosen: Tensor | slice) -> Tensor:
        """Return the chosen inputs, as they are in the file, on the device."""
        return self._gathered(chosen).to(self.device)

    def read_ahead(self, parts: Iterable[Tensor]) -> Iterator[Tensor]:
        """Yield the inputs of each part, on the device; the next one's are gathered meanwhile."""
        with ThreadPoolExecutor(1) as pool:
            reading: Future[Tensor] | None = None
            for chosen in parts:
                following = pool.submit(self._gathered, chosen)
                if reading is not None:
                    yield reading.result().to(self.device)
                reading = following
            if reading is not None:
                yield reading.result().to(self.device)

    def _gathered(self, chosen: Tensor | slice) -> Tensor:
        """Return a copy of the chosen inputs; the file's pages are let go again, so that they do not count as this process's memory."""
        places = chosen if isinstance(chosen, slice) else chosen.cpu()
        found = torch.from_numpy(self.rows)[places if self.order is None else self.order[places]]
        found = found.clone() if isinstance(chosen, slice) and self.order is None else found
        self.taken[0] += found.nbytes
        if self.taken[0] > _KEPT_BYTES:
            release(self.rows)
            self.taken[0] = 0
        return found
