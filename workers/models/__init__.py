"""Networks: inputs in the data set's units, logits out, the normalisation inside."""

from workers.models.network import MODELS, Network, build
from workers.models.tensorize import Tensorization, tensorize

__all__ = ["MODELS", "Network", "Tensorization", "build", "tensorize"]
