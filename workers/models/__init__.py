"""Networks: inputs in [0, 1], logits out, the normalisation inside."""

from workers.models.network import MODELS, Network, build

__all__ = ["MODELS", "Network", "build"]
