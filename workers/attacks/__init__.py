"""Attacks: functions of a callable that returns logits, never of a model class."""

from collections.abc import Callable

from torch import Tensor

from workers.attacks.gradient import UNIT, Bounds, Logits, check_examples, input_gradient, signed_gradient_ascent
from workers.fields import AttackName

ATTACKS: dict[AttackName, Callable[..., Tensor]] = {
    "bim": signed_gradient_ascent,
    "fgsm": signed_gradient_ascent,
    "pgd": signed_gradient_ascent,
}

__all__ = ["ATTACKS", "UNIT", "Bounds", "Logits", "check_examples", "input_gradient", "signed_gradient_ascent"]
