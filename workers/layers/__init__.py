"""Tensorized layers and their latent sketch; binary layers and their gradient."""

from workers.layers.binary import BinaryConv, DenseKernel, SignGradient, binary_kernel
from workers.layers.sketch import LatentSketch
from workers.layers.tucker import TuckerConv, TuckerKernel, mode_product, resolve_rank

__all__ = [
    "BinaryConv",
    "DenseKernel",
    "LatentSketch",
    "SignGradient",
    "TuckerConv",
    "TuckerKernel",
    "binary_kernel",
    "mode_product",
    "resolve_rank",
]
