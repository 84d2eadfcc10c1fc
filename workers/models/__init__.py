"""Networks: inputs in [0, 1], logits out, the normalisation inside."""

from workers.models.network import MODELS, Network, build
from workers.models.tensorize import Tensorization, tensorize

__all__ = ["MODELS", "Network", "Tensorization", "build", "tensorize"]
