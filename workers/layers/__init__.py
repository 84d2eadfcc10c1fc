"""Tensorized layers and their latent sketch."""

from workers.layers.cost import Execution, cheaper_execution
from workers.layers.decompose import hosvd
from workers.layers.rank import resolve_rank
from workers.layers.sketch import LatentSketch, Scales
from workers.layers.tucker import TuckerKernel, TuckerLayer, mode_product

__all__ = [
    "Execution",
    "LatentSketch",
    "Scales",
    "TuckerKernel",
    "TuckerLayer",
    "cheaper_execution",
    "hosvd",
    "mode_product",
    "resolve_rank",
]
