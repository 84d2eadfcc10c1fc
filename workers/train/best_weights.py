"""The weights of a training after the epoch in which they were best on what is held out for validation (Rice, Wong & Kolter, 2020)."""

import torch
from torch import Tensor, nn

from workers.artifacts.outcomes import EpochRecord


class BestWeights:
    """A copy of a module's state after its best epoch so far; `tensors`, by name, are part of a checkpoint.

    The best is the one of the highest accuracy under PGD on held-out examples, where the training measures that, else the highest clean
    accuracy; of equal ones the first.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._score = torch.tensor([0.0, -1.0], dtype=torch.float64)
        self.weights: dict[str, Tensor] = {}
        """The module's state after the best epoch; nothing before the first one."""

    @property
    def epoch(self) -> int | None:
        """The best epoch; None before the first one."""
        return int(self._score[0]) or None

    def consider(self, record: EpochRecord) -> None:
        """Keep the module's weights if the epoch that has just ended was the best."""
        robust, clean = record.validation_pgd_accuracy, record.validation_accuracy
        accuracy = clean if robust is None else robust
        if accuracy is not None and accuracy > float(self._score[1]):
            self._score = torch.tensor([record.epoch, accuracy], dtype=torch.float64)
            self.weights = {name: tensor.detach().clone() for name, tensor in self._module.state_dict().items()}

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The weights by name, and under an empty name the best epoch with its accuracy."""
        return {**self.weights, "": self._score}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take the weights of a checkpoint; of one without them, which an earlier version made, none."""
        if tensors:
            self._score = tensors[""]
            self.weights = {name: tensor for name, tensor in tensors.items() if name}
