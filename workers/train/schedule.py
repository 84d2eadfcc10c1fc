"""Learning-rate schedules, as pure functions of the step."""

import math
from collections.abc import Sequence

from workers.spec.fields import Schedule

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
