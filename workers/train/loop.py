"""Training by SGD, resumable at every epoch."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

from workers.device_data import DeviceSplit
from workers.errors import JobError
from workers.models import Network
from workers.results import EpochRecord
from workers.specs import TrainingSpec
from workers.train.checkpoint import Checkpoint, TrainingState
from workers.train.schedule import learning_rate

_HALF = 0.5


def train(
    network: Network,
    data: DeviceSplit,
    settings: TrainingSpec,
    *,
    order: torch.Generator,
    checkpoint: Checkpoint,
    report: Callable[[EpochRecord], None],
) -> list[EpochRecord]:
    """Train `network` in place and return one record per epoch.

    Args:
        network: on its device, its sketch seeded (the sketch's generator is part of the checkpoint).
        data: the training examples, on the same device.
        settings: epochs, batch size, optimiser, schedule, augmentation.
        order: generator of the example order and the flips, on the data's device.
        checkpoint: where an earlier attempt's state is looked for, and each epoch's state is saved.
        report: called after each epoch.

    Raises:
        JobError: the loss became NaN or infinite; the last good epoch stays in the checkpoint, no model is stored.
    """
    optimizer = torch.optim.SGD(
        network.parameters(), lr=settings.learning_rate, momentum=settings.momentum, weight_decay=settings.weight_decay
    )
    generators = {"order": order} | ({"sketch": network.sketch.generator} if network.sketch.generator else {})
    state = TrainingState(model=network, optimizer=optimizer, generators=generators, history=[])
    checkpoint.restore(state)
    trainer = _Trainer(network, data, settings, order, optimizer)
    network.train()
    for epoch in range(len(state.history) + 1, settings.epochs + 1):
        record = trainer.epoch(epoch)
        state.history.append(record)
        checkpoint.save(state)
        report(record)
    return state.history


@dataclass(frozen=True)
class _Trainer:
    network: Network
    data: DeviceSplit
    settings: TrainingSpec
    order: torch.Generator
    optimizer: torch.optim.SGD

    def epoch(self, epoch: int) -> EpochRecord:
        # Sums stay on the device: one synchronisation an epoch, not one a step.
        loss_sum, correct = torch.zeros(2, device=self.data.device)
        rate, seen = 0.0, 0
        for step, (inputs, labels) in enumerate(self._batches()):
            rate = self._set_rate((epoch - 1) * self.steps + step)
            batch_loss, hits = self._step(inputs, labels)
            loss_sum += batch_loss * len(labels)
            correct += hits
            seen += len(labels)
        loss = float(loss_sum) / seen
        if not math.isfinite(loss):
            raise JobError(f"epoch {epoch}: the training loss is {loss}; try a learning_rate below {self.settings.learning_rate:g}")
        return EpochRecord(epoch=epoch, loss=loss, accuracy=float(correct) / seen, learning_rate=rate)

    @property
    def batch_size(self) -> int:
        return min(self.settings.batch_size, len(self.data))

    @property
    def steps(self) -> int:
        """Full batches in an epoch: a last, smaller one would disturb the batch norm and is left out."""
        return len(self.data) // self.batch_size

    def _set_rate(self, step: int) -> float:
        settings = self.settings
        rate = learning_rate(step, total=settings.epochs * self.steps, peak=settings.learning_rate, schedule=settings.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _step(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(inputs)
        loss = F.cross_entropy(logits, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach(), (logits.detach().argmax(dim=1) == labels).sum()

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        permutation = torch.randperm(len(self.data), generator=self.order, device=self.data.device)
        for chosen in permutation[: self.steps * self.batch_size].split(self.batch_size):
            inputs, labels = self.data.batch(chosen)
            yield (self._flip(inputs) if self.settings.horizontal_flip else inputs), labels

    def _flip(self, inputs: Tensor) -> Tensor:
        flipped = torch.rand(len(inputs), generator=self.order, device=inputs.device) < _HALF
        return torch.where(flipped[:, None, None, None], inputs.flip(-1), inputs)
