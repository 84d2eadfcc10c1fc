"""What attackers climb, example by example: high is good for the attacker."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

from workers.errors import UserError
from workers.spec.fields import LossName

_TINY = 1e-12
_FEWEST_CLASSES, _FEWEST_CLASSES_TARGETED = 3, 4


@dataclass(frozen=True)
class Goal:
    """What the attacker wants for each example: another class than `labels`, or, where there are `targets`, the target.

    Args:
        labels: true classes, (batch,).
        targets: the wanted classes, (batch,), or None for an untargeted attack.
        loss: what is climbed.
    """

    labels: Tensor
    targets: Tensor | None = None
    loss: LossName = "ce"

    def losses(self, logits: Tensor) -> Tensor:
        """The loss that the attacker wants high, (batch,), from logits (batch, n_classes).

        Raises:
            UserError: `dlr` with fewer classes than it needs.
        """
        return LOSSES[self.loss](logits, self.labels, self.targets)

    def reached(self, logits: Tensor) -> Tensor:
        """Whether each example is where the attacker wants it, (batch,)."""
        predicted = logits.argmax(dim=1)
        return predicted != self.labels if self.targets is None else predicted == self.targets

    def of(self, chosen: Tensor) -> "Goal":
        """The goal for some of the examples, given by their places."""
        return Goal(self.labels[chosen], None if self.targets is None else self.targets[chosen], self.loss)

    def repeated(self, times: int) -> "Goal":
        """The goal for so many copies of the batch, one after the other."""
        return Goal(self.labels.repeat(times), None if self.targets is None else self.targets.repeat(times), self.loss)


def cross_entropy(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """-log p(label), or log p(target)."""
    if targets is None:
        return F.cross_entropy(logits, labels, reduction="none")
    return -F.cross_entropy(logits, targets, reduction="none")


def margin(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """How far the best other class is above the label, or the target above the best other class (Carlini & Wagner, 2017)."""
    if targets is None:
        return _best_other(logits, labels) - _at(logits, labels)
    return _at(logits, targets) - _best_other(logits, targets)


def logits_ratio(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """The difference of logits ratio, blind to the logits' shift and scale (Croce & Hein, 2020, equations 6 and 7)."""
    fewest = _FEWEST_CLASSES if targets is None else _FEWEST_CLASSES_TARGETED
    if logits.shape[1] < fewest:
        raise UserError(f"loss 'dlr': needs {fewest} classes or more, there are {logits.shape[1]}; use ce")
    top = logits.topk(fewest, dim=1).values
    if targets is None:
        return margin(logits, labels, None) / (top[:, 0] - top[:, 2] + _TINY)
    return (_at(logits, targets) - _at(logits, labels)) / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + _TINY)


LOSSES: dict[LossName, Callable[[Tensor, Tensor, Tensor | None], Tensor]] = {
    "ce": cross_entropy,
    "dlr": logits_ratio,
    "margin": margin,
}


def _at(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None]).squeeze(1)


def _best_other(logits: Tensor, classes: Tensor) -> Tensor:
    hidden = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, classes[:, None], value=True)
    return logits.masked_fill(hidden, -torch.inf).amax(dim=1)
