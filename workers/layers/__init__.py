"""Tensorized layers and their latent sketch."""

from workers.layers.sketch import LatentSketch
from workers.layers.tucker import TuckerConv, TuckerKernel, mode_product, resolve_rank

__all__ = ["LatentSketch", "TuckerConv", "TuckerKernel", "mode_product", "resolve_rank"]
