"""Weights that a trained model gets instead of the last ones: averages, or those of its best epoch (Rice, Wong & Kolter, 2020)."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from workers.artifacts.outcomes import EpochRecord
from workers.spec.training import TrainingSpec

Batches = Callable[[], Iterator[Tensor]]


class WeightAverage:
    """Average of a module's parameters while it is trained; `tensors`, by name, are part of a checkpoint.

    `ema` moves towards the weights by 1 - `ema_decay` after each step, and begins with the first weights (Tarvainen & Valpola, 2017).
    `swa` is the mean of the weights after each epoch, from the share `average_from` of the epochs on (Izmailov et al., 2018); before that
    it is the weights themselves.
    """

    def __init__(self, module: nn.Module, settings: TrainingSpec) -> None:
        self._module, self._settings = module, settings
        self._averaged = torch.zeros((), dtype=torch.int64)
        self._means = {} if settings.weight_average == "none" else {name: one.detach().clone() for name, one in module.named_parameters()}

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The averages by the names of parameters, and under an empty name the number of averaged epochs; nothing without averages."""
        return {**self._means, "": self._averaged} if self._means else {}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take the averages of a checkpoint."""
        for name, tensor in tensors.items():
            (self._means[name] if name else self._averaged).copy_(tensor)

    @torch.no_grad()
    def after_step(self) -> None:
        if self._settings.weight_average == "ema":
            self._move(1 - self._settings.ema_decay)

    @torch.no_grad()
    def after_epoch(self, epoch: int) -> None:
        """Take the weights after so many epochs into the mean."""
        if self._settings.weight_average != "swa":
            return
        if epoch > self._settings.average_from * self._settings.epochs:
            self._averaged += 1
        self._move(1 / max(1, int(self._averaged)))

    def _move(self, share: float) -> None:
        for name, parameter in self._module.named_parameters():
            self._means[name].lerp_(parameter, share)

    @torch.no_grad()
    def give(self, batches: Batches, *, device: torch.device) -> None:
        """Give the module the averages, and its normalisation layers the statistics of these batches under them; without averages nothing.

        Args:
            batches: the training inputs as the module is to see them, (batch, *shape) each.
            device: of the module.
        """
        if not self._means:
            return
        for name, parameter in self._module.named_parameters():
            parameter.copy_(self._means[name])
        update_bn(batches(), self._module, device=device)


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
