"""Measurements after each epoch of a training: on examples that are held out, and against overfitting to one-step attacks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from workers.attacks.engine import attack_of
from workers.data.loading.device_split import DeviceSplit
from workers.models.network import Network
from workers.registry import ATTACKS
from workers.spec.attack import AttackSettings
from workers.spec.fields import AdversarialTraining
from workers.spec.training import TrainingSpec

MOST_EXAMPLES = 256
"""Number of examples that are measured, at most: of those held out, and of the training examples."""
_STEPS, _REACH = 10, 2.5
_ONE_STEP: frozenset[AdversarialTraining] = frozenset({"n_fgsm", "rs_fgsm"})


@dataclass(frozen=True)
class Watch:
    """Accuracies of a network in training, in eval mode; its sketch goes on afterwards as if nothing had been measured.

    Args:
        network: whose mode is restored.
        logits: the network as a function, inputs (batch, *shape) to (batch, n_classes).
        settings: of the training; attacks are PGD of 10 steps at its largest epsilon, from random points that the epoch's number seeds.
        train: the training examples.
        validation: those held out; None where nothing is.
    """

    network: Network
    logits: Callable[[Tensor], Tensor]
    settings: TrainingSpec
    train: DeviceSplit
    validation: DeviceSplit | None

    def after(self, epoch: int) -> dict[str, float]:
        """Return the fields of an `EpochRecord` that are measured after it: those on held-out examples, attacked where training is
        adversarial; and under one-step attacks the accuracy on training examples that several steps leave (Wong et al., 2020)."""
        found: dict[str, float] = {}
        attacked = self.settings.adversarial_training != "none"
        with self._evaluating():
            if self.validation is not None:
                inputs, labels = self._first(self.validation)
                found["validation_accuracy"] = self._accuracy(inputs, labels)
                if attacked:
                    found["validation_pgd_accuracy"] = self._accuracy(self._pgd(inputs, labels, epoch), labels)
            if self.settings.adversarial_training in _ONE_STEP or self.settings.gradient_alignment > 0:
                inputs, labels = self._first(self.train)
                found["pgd_accuracy"] = self._accuracy(self._pgd(inputs, labels, epoch), labels)
        return found

    def _first(self, split: DeviceSplit) -> tuple[Tensor, Tensor]:
        return split.batch(slice(0, MOST_EXAMPLES))

    @torch.no_grad()
    def _accuracy(self, inputs: Tensor, labels: Tensor) -> float:
        return float((self.logits(inputs).argmax(dim=1) == labels).float().mean())

    def _pgd(self, inputs: Tensor, labels: Tensor, epoch: int) -> Tensor:
        epsilon = float(Fraction(self.settings.adversarial_epsilon[1]))
        own = ATTACKS["pgd"].settings.model_validate({"steps": _STEPS, "abs_stepsize": _REACH * epsilon / _STEPS})
        norm = self.settings.adversarial_norm
        attack = AttackSettings(name="pgd", norm=norm, epsilon=epsilon, epsilon_literal=f"{epsilon:g}", settings=own)
        generator = torch.Generator(inputs.device).manual_seed(epoch)
        bounds = self.network.bounds
        return attack_of(attack)(self.logits, inputs, labels, settings=attack, generator=generator, bounds=bounds)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        generator, before = self.network.sketch.generator, self.network.training
        state = None if generator is None else generator.get_state()
        self.network.eval()
        try:
            yield
        finally:
            self.network.train(before)
            if generator is not None and state is not None:
                generator.set_state(state)
