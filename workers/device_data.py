"""A data set's split as tensors on the device that computes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from workers.data import Split

_LEVELS = 255


@dataclass(frozen=True)
class DeviceSplit:
    """Inputs (examples, channels, height, width), uint8 or float32, and labels (examples,), both on one device."""

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

    def batch(self, chosen: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Inputs as float32 in [0, 1], and labels, of the chosen examples."""
        inputs = self.inputs[chosen]
        return (inputs.float() / _LEVELS if inputs.dtype == torch.uint8 else inputs), self.labels[chosen]
