"""Networks from inputs in the data set's units to logits, normalisation included."""

from workers.models.network.network import Network, build, build_defence, decomposed, initialise
from workers.models.network.tensorize import Tensorization, tensorize

__all__ = ["Network", "Tensorization", "build", "build_defence", "decomposed", "initialise", "tensorize"]
