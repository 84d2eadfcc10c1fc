"""Networks: inputs in the data set's units, logits out, the normalisation inside."""

from workers.models.network.network import Network, build, decomposed
from workers.models.network.tensorize import Tensorization, tensorize

__all__ = ["Network", "Tensorization", "build", "decomposed", "tensorize"]
