"""Losses that attackers maximise, example by example: high is good for the attacker."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

_TINY = 1e-12
_FEWEST_CLASSES, _FEWEST_CLASSES_TARGETED = 3, 4


@dataclass(frozen=True)
class Goal:
    """The attacker's goal for each example: another class than `labels`, or, where there are `targets`, the target.

    Args:
        labels: true classes, (batch,).
        targets: the wanted classes, (batch,), or None for an untargeted attack.
        loss: name of the loss to maximise.
        towards: the classes at which the loss of an untargeted attack aims, (batch,), though any other class than the label will do.
    """

    labels: Tensor
    targets: Tensor | None = None
    loss: str = "ce"
    towards: Tensor | None = None

    def losses(self, logits: Tensor) -> Tensor:
        """Return the loss that the attacker maximises, (batch,), from logits (batch, n_classes)."""
        return LOSSES[self.loss](logits, self.labels, self.targets if self.towards is None else self.towards)

    def reached(self, logits: Tensor) -> Tensor:
        """Flag the examples for which the attacker's goal is reached, (batch,)."""
        predicted = logits.argmax(dim=1)
        return predicted != self.labels if self.targets is None else predicted == self.targets

    def of(self, chosen: Tensor) -> "Goal":
        """Return the goal for some of the examples, given by their indices."""
        return self._each(lambda classes: classes[chosen])

    def repeated(self, times: int) -> "Goal":
        """Return the goal for so many concatenated copies of the batch."""
        return self._each(lambda classes: classes.repeat(times))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Goal":
        targets, towards = (None if classes is None else change(classes) for classes in (self.targets, self.towards))
        return Goal(change(self.labels), targets, self.loss, towards)


def cross_entropy(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """Return -log p(label), or log p(target)."""
    if targets is None:
        return F.cross_entropy(logits, labels, reduction="none")
    return -F.cross_entropy(logits, targets, reduction="none")


def margin(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """Margin of the best other class over the label, or of the target over the best other class (Carlini & Wagner, 2017)."""
    if targets is None:
        return _best_other(logits, labels) - _at(logits, labels)
    return _at(logits, targets) - _best_other(logits, targets)


def logits_ratio(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """Return the difference of logits ratio, invariant to the logits' shift and scale (Croce & Hein, 2020, equations 6 and 7).

    Its denominator needs three classes, with targets four. With fewer it is the margin: a numerator without a denominator.
    """
    fewest = _FEWEST_CLASSES if targets is None else _FEWEST_CLASSES_TARGETED
    over = margin(logits, labels, None) if targets is None else _at(logits, targets) - _at(logits, labels)
    if logits.shape[1] < fewest:
        return over
    top = logits.topk(fewest, dim=1).values
    least = top[:, 2] if targets is None else (top[:, 2] + top[:, 3]) / 2
    return over / (top[:, 0] - least + _TINY)


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor | None], Tensor]] = {
    "ce": cross_entropy,
    "dlr": logits_ratio,
    "margin": margin,
}


def _at(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None]).squeeze(1)


def _best_other(logits: Tensor, classes: Tensor) -> Tensor:
    hidden = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, classes[:, None], value=True)
    return logits.masked_fill(hidden, -torch.inf).amax(dim=1)
