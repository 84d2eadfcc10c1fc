"""Networks from inputs in the data set's units to logits, normalisation included."""

from workers.models.network import MODELS, Network, build, decomposed
from workers.models.tensorize import Tensorization, tensorize

__all__ = ["MODELS", "Network", "Tensorization", "build", "decomposed", "tensorize"]
