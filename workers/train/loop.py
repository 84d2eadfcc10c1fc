"""Training on clean or adversarial examples, resumable at every epoch."""

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from typing import NamedTuple

import torch
from torch import Tensor, nn

from workers.artifacts.outcomes import EpochRecord
from workers.data.loading.device_split import DeviceSplit
from workers.errors import JobError
from workers.models.network import Network
from workers.spec.fields import Precision
from workers.spec.training import TrainingSpec
from workers.train.adversary import Adversary, BatchAdversary, remembered, unchanged
from workers.train.augment import augmented
from workers.train.checkpoint import Checkpoint, TrainingState
from workers.train.chosen_weights import BestWeights, WeightAverage
from workers.train.group import ALONE, TrainingProcess
from workers.train.mixing import mixed
from workers.train.optimizer import build_optimizer, learning_rate
from workers.train.regularisers import misalignment, perturbed_weights
from workers.train.safe_convolutions import safe_convolutions
from workers.train.watch import Watch

_IMAGE_BATCH_DIMENSIONS = 4


def train(  # noqa: PLR0913 (each is another part of a training)
    network: Network,
    data: DeviceSplit,
    settings: TrainingSpec,
    *,
    order: torch.Generator,
    checkpoint: Checkpoint,
    report: Callable[[EpochRecord], None],
    attack: torch.Generator | None = None,
    until: int | None = None,
    validation: DeviceSplit | None = None,
    best: BestWeights | None = None,
    extra: "Extra | None" = None,
    group: TrainingProcess = ALONE,
) -> list[EpochRecord]:
    """Train `network` in place and return one record per epoch.

    Args:
        network: on its device, seeded (the generator that its sketch and its defence share is part of the checkpoint).
        data: the training examples, on the same device.
        settings: epochs, batch size, optimiser, schedule, augmentation, adversarial training.
        order: generator of the example order, the flips and the crops, on the data's device.
        checkpoint: from which an earlier attempt's state is restored, and to which each epoch's is saved.
        report: called after each epoch; under adversarial training its loss and accuracy are those on adversarial examples.
        attack: generator of adversarial training, on the data's device; None without it.
        until: stop after so many of the schedule's epochs (None: after all).
        validation: held-out examples, on the same device, that each epoch's record says the accuracy on; None for none.
        best: is given each epoch's record, to keep the weights of the best one.
        extra: further examples that take the place of a share of each batch.
        group: of the processes that share the training; all call this alike, and the one that leads saves and reports.

    Raises:
        JobError: the loss, a weight or a statistic became NaN or infinite, or examples could not be attacked for want of a finite
            gradient; the last good epoch stays in the checkpoint, no model is stored. Or batches are smaller than the group.
        ValueError: adversarial training without the generator `attack`, or the generator without adversarial training.
    """
    if group.size > min(settings.batch_size, len(data)):
        raise JobError(f"batch_size={min(settings.batch_size, len(data))}: must be at least the number of processes, {group.size}")
    if group.size > 1 and settings.gradient_alignment > 0:
        raise JobError(f"gradient_alignment={settings.gradient_alignment:g}: {group.size} processes compute no second derivatives; use one")
    if (attack is None) != (settings.adversarial_training == "none"):
        raise ValueError(f"adversarial_training={settings.adversarial_training} with attack={attack}: one needs the other")
    logits = partial(_logits, group.divided(network), halved=in_bf16(settings.precision, data.device))
    adversary = None if attack is None else Adversary(network, logits, network.bounds, settings, attack)
    average = WeightAverage(network, settings)
    optimizer = build_optimizer(network.parameters(), settings)
    trainer = _Trainer(network, logits, data, settings, order, adversary, optimizer, average, extra, group)
    generators = {"order": order, "sketch": network.sketch.generator, "attack": attack}
    present = {name: generator for name, generator in generators.items() if generator is not None}
    state = TrainingState(model=network, optimizer=trainer.optimizer, generators=present, history=[], average=average, best=best)
    watch = Watch(network, logits, settings, data, validation)
    last = settings.epochs if until is None else until
    checkpoint.restore(state, last=last)
    group.require_alike(len(state.history))
    _require_finite(network, settings, epoch=len(state.history))
    network.train()
    for epoch in range(len(state.history) + 1, last + 1):
        with safe_convolutions(network, data.device), group.summed(network):
            record = trainer.epoch(epoch)
        _require_finite(network, settings, epoch=epoch)
        average.after_epoch(epoch)
        record = record.model_copy(update=watch.after(epoch))
        state.history.append(record)
        if best is not None:
            best.consider(record)
        if group.leads:
            checkpoint.save(state)
            report(record)
    average.give(trainer.plain_inputs, device=data.device)
    return state.history


def _require_finite(network: Network, settings: TrainingSpec, *, epoch: int) -> None:
    tensors = network.state_dict()
    finite = torch.stack([tensor.isfinite().all() for tensor in tensors.values()]).tolist()
    bad = [name.removeprefix("body.") for name, is_finite in zip(tensors, finite, strict=True) if not is_finite]
    if bad:
        advice = f"try a learning_rate below {settings.learning_rate:g}"
        raise JobError(f"epoch {epoch}: {len(bad)} of {len(tensors)} weights and statistics are not finite, first {bad[0]}; {advice}")


def in_bf16(precision: Precision, device: torch.device) -> bool:
    """Tell whether forward passes on the device are autocast to bfloat16."""
    if precision != "auto":
        return precision == "bf16"
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def _logits(network: Callable[[Tensor], Tensor], inputs: Tensor, *, halved: bool) -> Tensor:
    with torch.autocast(inputs.device.type, dtype=torch.bfloat16, enabled=halved):
        logits = network(inputs)
    return logits.float()


class Extra(NamedTuple):
    """Further training examples, on the device of the others, and the share of each batch that they have."""

    data: DeviceSplit
    share: float


@dataclass(frozen=True)
class _Trainer:
    network: Network
    logits: Callable[[Tensor], Tensor]
    data: DeviceSplit
    settings: TrainingSpec
    order: torch.Generator
    adversary: Adversary | None
    optimizer: torch.optim.Optimizer
    average: WeightAverage
    extra: Extra | None = None
    group: TrainingProcess = ALONE

    def epoch(self, epoch: int) -> EpochRecord:
        # Sums stay on the device: one synchronisation an epoch, not one a step.
        loss_sum, correct = torch.zeros(2, device=self.data.device)
        rate, seen = 0.0, 0
        perturbs = self.settings.weight_perturbation > 0 and epoch > self.settings.weight_perturbation_from * self.settings.epochs
        for step, batch in enumerate(self._seen()):
            rate = self._set_rate((epoch - 1) * self.steps + step)
            batch_loss, hits = self._step(batch, perturbs=perturbs)
            loss_sum += batch_loss * len(batch.labels)
            correct += hits
            seen += len(batch.labels)
        loss = float(loss_sum) / seen
        if not math.isfinite(loss):
            raise JobError(f"epoch {epoch}: the training loss is {loss}; try a learning_rate below {self.settings.learning_rate:g}")
        if self.adversary is not None:
            self.adversary.require_all_attacked()
        return EpochRecord(epoch=epoch, loss=loss, accuracy=float(correct) / seen, learning_rate=rate)

    @property
    def batch_size(self) -> int:
        return min(self.settings.batch_size, len(self.data))

    @property
    def steps(self) -> int:
        """Number of full batches in an epoch: a last, smaller one would disturb the batch norm and is left out."""
        return len(self.data) // self.batch_size

    def _set_rate(self, step: int) -> float:
        settings = self.settings
        rate = learning_rate(
            step,
            total=settings.epochs * self.steps,
            peak=settings.learning_rate,
            schedule=settings.schedule,
            milestones=settings.milestones,
            gamma=settings.gamma,
            warm_up=settings.warm_up,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _step(self, batch: "_Batch", *, perturbs: bool) -> tuple[Tensor, Tensor]:
        network = _Listening(self.logits)
        batch = replace(batch, adversary=remembered(batch.adversary)) if perturbs else batch
        loss = partial(self._loss, network, batch)
        size = self.settings.weight_perturbation
        with perturbed_weights(self.network, loss, size=size) if perturbs else nullcontext():
            found = loss()
            self.optimizer.zero_grad()
            found.backward()
        if self.settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.average.after_step()
        return found.detach(), (network.first.argmax(dim=1) == batch.labels).sum()

    def _loss(self, network: "_Listening", batch: "_Batch") -> Tensor:
        settings = self.settings
        loss: Tensor = settings.component.create(network, batch.inputs, batch.targets, batch.attacked, **dict(settings.settings))
        if settings.gradient_alignment > 0 and self.adversary is not None:
            generator = self.adversary.generator
            apart = misalignment(self.logits, batch.inputs, batch.labels, settings=settings, generator=generator)
            loss = loss + settings.gradient_alignment * apart
        return loss if (penalty := self.network.penalty()) is None else loss + self.group.once(penalty)

    def plain_inputs(self) -> Iterator[Tensor]:
        """Return the training inputs in full batches, in their order, neither augmented nor attacked."""
        places = torch.arange(self.steps * self.batch_size, device=self.data.device)
        return (self._laid_out(inputs) for inputs, _ in self.data.batches(places, self.batch_size))

    def _seen(self) -> Iterator["_Batch"]:
        """The batches that the network learns from, each with its adversary."""
        adversaries = repeat(unchanged) if self.adversary is None else self.adversary.one_a_batch(self.steps)
        for (inputs, labels), adversary in zip(self._batches(), adversaries, strict=False):
            if self.settings.mixing == "none":
                yield _Batch(self._laid_out(inputs), labels, labels, adversary)
                continue
            found, shares = mixed(inputs, labels, self.settings, self.order, n_classes=self.network.n_classes)
            yield _Batch(self._laid_out(found), shares.argmax(dim=1), shares, adversary)

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        more = 0 if self.extra is None else min(self.batch_size - 1, max(1, round(self.extra.share * self.batch_size)))
        batches = self._drawn(self.data, self.batch_size - more)
        if self.extra is not None:
            pairs = zip(batches, self._drawn(self.extra.data, more), strict=True)
            batches = ((torch.cat([own, other]), torch.cat([labels, others])) for (own, labels), (other, others) in pairs)
        for inputs, labels in batches:
            yield augmented(inputs, self.settings, self.order), labels

    def _drawn(self, data: DeviceSplit, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """As many batches of this size as an epoch has steps, in a random order; of few examples in one such order after another."""
        times = -(-self.steps * size // len(data))
        orders = [torch.randperm(len(data), generator=self.order, device=data.device) for _ in range(times)]
        return data.batches(torch.cat(orders)[: self.steps * size], size)

    def _laid_out(self, inputs: Tensor) -> Tensor:
        is_image = inputs.dim() == _IMAGE_BATCH_DIMENSIONS
        return inputs.contiguous(memory_format=torch.channels_last) if self.settings.channels_last and is_image else inputs


@dataclass(frozen=True)
class _Batch:
    """Examples that the network learns from: `targets` are their labels as the loss takes them, classes (batch,) or shares of them."""

    inputs: Tensor
    labels: Tensor
    targets: Tensor
    adversary: BatchAdversary

    def attacked(self, inputs: Tensor, _: Tensor) -> Tensor:
        """The adversary's examples; it is told each one's class, of mixed ones that of the larger share."""
        return self.adversary(inputs, self.labels)


class _Listening:
    """A network that keeps the first logits that it gave: what training accuracy is counted on."""

    def __init__(self, logits: Callable[[Tensor], Tensor]) -> None:
        self._logits = logits
        self._first: Tensor | None = None

    def __call__(self, inputs: Tensor) -> Tensor:
        found = self._logits(inputs)
        if self._first is None:
            self._first = found.detach()
        return found

    @property
    def first(self) -> Tensor:
        """The first logits, (batch, n_classes).

        Raises:
            JobError: the loss never asked for any.
        """
        if self._first is None:
            raise JobError("the training loss never called the network")
        return self._first
