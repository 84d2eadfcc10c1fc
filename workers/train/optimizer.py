"""Optimisers and learning-rate schedules of a training spec."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from workers.spec.fields import Schedule
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


_WARM_UP = 0.25
_PAPER_MILESTONES, _PAPER_GAMMA = (150 / 350, 250 / 350), 0.1


def learning_rate(
    step: int,
    *,
    total: int,
    peak: float,
    schedule: Schedule,
    milestones: Sequence[float] = _PAPER_MILESTONES,
    gamma: float = _PAPER_GAMMA,
) -> float:
    """Return the learning rate of step `step` of `total`; the largest is `peak`.

    `one_cycle` rises linearly over the first quarter and falls as a cosine to zero (Smith & Topin, 2019);
    `step` is multiplied by `gamma` at each of `milestones`, shares of all steps in [0, 1) (by default the paper's CIFAR-10 recipe).
    """
    progress = step / total
    if schedule == "step":
        return peak * gamma ** sum(progress >= milestone for milestone in milestones)
    if progress < _WARM_UP:
        return peak * (step + 1) / (math.ceil(_WARM_UP * total) + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP)))
