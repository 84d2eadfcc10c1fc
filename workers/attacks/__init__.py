"""Attacks: functions of a callable that returns logits, never of a model class."""

from workers.attacks.apgd import auto_ascend
from workers.attacks.fast_gradient import Memory, can_be_remembered, remembered_step
from workers.attacks.foolbox_backend import foolbox_ascend
from workers.attacks.gradient import ascend
from workers.attacks.noise import random_point
from workers.attacks.norms import UNIT, Bounds, check_examples
from workers.attacks.problem import Logits, Problem
from workers.attacks.queries import input_gradient
from workers.attacks.restarts import Attack, pose, restarted
from workers.attacks.square import square
from workers.spec.attack import AttackSettings
from workers.spec.fields import AttackName

ATTACKS: dict[AttackName, Attack] = {
    "apgd_ce": restarted(auto_ascend),
    "apgd_dlr": restarted(auto_ascend),
    "bim": restarted(ascend),
    "fgsm": restarted(ascend),
    "mi_fgsm": restarted(ascend),
    "noise": restarted(random_point),
    "pgd": restarted(ascend),
    "square": restarted(square),
}
_BY_FOOLBOX = restarted(foolbox_ascend)


def chosen_attack(settings: AttackSettings) -> Attack:
    """Return the attack that the settings name, of their backend."""
    return ATTACKS[settings.name] if settings.backend == "native" else _BY_FOOLBOX


__all__ = [
    "ATTACKS",
    "UNIT",
    "Attack",
    "Bounds",
    "Logits",
    "Memory",
    "Problem",
    "can_be_remembered",
    "check_examples",
    "chosen_attack",
    "input_gradient",
    "pose",
    "remembered_step",
]
