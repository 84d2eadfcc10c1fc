"""Optimisers of a training spec."""

from collections.abc import Iterable

import torch
from torch import nn

from workers.spec.training import TrainingSpec


def build_optimizer(parameters: Iterable[nn.Parameter], settings: TrainingSpec) -> torch.optim.Optimizer:
    """Return SGD with (Nesterov) momentum, or Adam with its usual betas (0.9, 0.999); weight decay is an L2 penalty under both.

    Momentum 0 is plain SGD, with and without `nesterov`.
    """
    if settings.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    return torch.optim.SGD(
        parameters,
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.nesterov and settings.momentum > 0,
        weight_decay=settings.weight_decay,
    )
