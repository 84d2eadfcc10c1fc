"""A data set's split as tensors on the compute device."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.data.loading.source import Split

_LEVELS = {torch.uint8: 255, torch.int16: 32_768}


@dataclass(frozen=True)
class DeviceSplit:
    """Inputs (examples, *shape), float32, uint8 or int16 (see `Split`), and labels (examples,), both on one device."""

    inputs: Tensor
    labels: Tensor

    @classmethod
    def put(cls, split: Split, device: torch.device) -> "DeviceSplit":
        return cls(torch.from_numpy(split.inputs).to(device), torch.from_numpy(split.labels).to(device))

    @property
    def device(self) -> torch.device:
        return self.inputs.device

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, chosen: NDArray[np.bool_]) -> "DeviceSplit":
        """Return the examples whose flag is set, in their order."""
        places = torch.from_numpy(chosen.nonzero()[0]).to(self.device)
        return DeviceSplit(self.inputs[places], self.labels[places])

    def batch(self, chosen: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Return inputs as float32 in input units (images in [0, 1], waveforms in [-1, 1]), and labels, of the chosen examples."""
        inputs = self.inputs[chosen]
        levels = _LEVELS.get(inputs.dtype)
        return (inputs if levels is None else inputs.float() / levels), self.labels[chosen]
