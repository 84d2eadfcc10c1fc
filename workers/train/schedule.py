"""Learning-rate schedules, as pure functions of the step."""

import math

from workers.fields import Schedule

_WARM_UP = 0.25
_DROPS, _DROP_FACTOR = (150 / 350, 250 / 350), 0.1


def learning_rate(step: int, *, total: int, peak: float, schedule: Schedule) -> float:
    """The learning rate of step `step` of `total`, the largest being `peak`.

    `one_cycle` rises linearly over the first quarter and falls as a cosine to zero (Smith & Topin, 2019);
    `step` drops by 0.1 at 150/350 and at 250/350 of the way (the paper's CIFAR-10 recipe).
    """
    progress = step / total
    if schedule == "step":
        return peak * _DROP_FACTOR ** sum(progress >= drop for drop in _DROPS)
    if progress < _WARM_UP:
        return peak * (step + 1) / (math.ceil(_WARM_UP * total) + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP)))
