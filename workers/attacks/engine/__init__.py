"""The engine of attacks: functions of a callable that returns logits, never of a model class."""

from workers.attacks.engine.gradient import Memory, can_be_remembered, remembered_step
from workers.attacks.engine.norms import UNIT, Bounds, check_examples
from workers.attacks.engine.problem import Logits, Passes, Problem, Watched
from workers.attacks.engine.queries import input_gradient
from workers.attacks.engine.restarts import Attack, attack_of, pose

__all__ = [
    "UNIT",
    "Attack",
    "Bounds",
    "Logits",
    "Memory",
    "Passes",
    "Problem",
    "Watched",
    "attack_of",
    "can_be_remembered",
    "check_examples",
    "input_gradient",
    "pose",
    "remembered_step",
]
