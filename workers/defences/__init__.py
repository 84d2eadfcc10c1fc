"""Defences of a network in addition to its sketch. Attacks go through them; sketch and defence draw from one generator."""

from workers.defences.base import Defence
from workers.defences.dropout import DefensiveDropout
from workers.defences.pruning import StochasticActivationPruning
from workers.defences.quantization import DefensiveQuantization
from workers.defences.resize_pad import RandomResizePad
from workers.defences.squeezing import FeatureSqueezing
from workers.spec.fields import DefenceName

DEFENCES: dict[DefenceName, type[Defence]] = {
    "none": Defence,
    "defensive_dropout": DefensiveDropout,
    "defensive_quantization": DefensiveQuantization,
    "feature_squeezing": FeatureSqueezing,
    "random_resize_pad": RandomResizePad,
    "stochastic_activation_pruning": StochasticActivationPruning,
}

__all__ = ["DEFENCES", "Defence"]
