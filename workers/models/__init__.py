"""Networks: inputs in the data set's units, logits out, the normalisation inside."""

from workers.models.network import MODELS, Network, build

__all__ = ["MODELS", "Network", "build"]
