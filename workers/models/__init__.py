"""Networks: inputs in the data set's units, logits out, the normalisation inside."""

from workers.models.network import MODELS, Network, build, decomposed
from workers.models.tensorize import Tensorization, tensorize

__all__ = ["MODELS", "Network", "Tensorization", "build", "decomposed", "tensorize"]
