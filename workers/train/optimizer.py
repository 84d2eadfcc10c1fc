"""Optimisers and learning-rate schedules of a training spec."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from workers.spec.fields import Schedule
from workers.spec.training import USUAL_WARM_UP, TrainingSpec


def build_optimizer(parameters: Iterable[nn.Parameter], settings: TrainingSpec) -> torch.optim.Optimizer:
    """Return SGD with (Nesterov) momentum, or Adam with its usual betas (0.9, 0.999), under both of which weight decay is an L2 penalty;
    or AdamW, which decays the weights by themselves (Loshchilov & Hutter, 2019).

    Momentum 0 is plain SGD, with and without `nesterov`.
    """
    if settings.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    return torch.optim.SGD(
        parameters,
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.nesterov and settings.momentum > 0,
        weight_decay=settings.weight_decay,
    )


_PAPER_MILESTONES, _PAPER_GAMMA = (150 / 350, 250 / 350), 0.1


def learning_rate(
    step: int,
    *,
    total: int,
    peak: float,
    schedule: Schedule,
    milestones: Sequence[float] = _PAPER_MILESTONES,
    gamma: float = _PAPER_GAMMA,
    warm_up: float | None = None,
) -> float:
    """Return the learning rate of step `step` of `total`; the largest is `peak`.

    It rises linearly over the share `warm_up` of all steps, by default a quarter under `one_cycle` and none under the others. Then
    `one_cycle` and `cosine` fall as a cosine to zero (Smith & Topin, 2019; Loshchilov & Hutter, 2017), `linear` falls linearly, and
    `step` is multiplied by `gamma` at each of `milestones`, shares of all steps in [0, 1) (by default the paper's CIFAR-10 recipe).
    """
    progress = step / total
    rising = USUAL_WARM_UP[schedule] if warm_up is None else warm_up
    if progress < rising:
        return peak * (step + 1) / (math.ceil(rising * total) + 1)
    if schedule == "step":
        return peak * gamma ** sum(progress >= milestone for milestone in milestones)
    if schedule == "linear":
        return peak * (1 - progress) / (1 - rising)
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - rising) / (1 - rising)))
