"""Tensorized layers and their latent sketch; binary layers and their gradient."""

from workers.layers.binary import BinaryConv, DenseKernel, SignGradient, binary_kernel
from workers.layers.cost import Execution, cheaper_execution
from workers.layers.cp import CPKernel, CPLayer
from workers.layers.kernel import hosvd, mode_product
from workers.layers.latent import LatentKernel, LatentLayer
from workers.layers.rank import resolve_rank
from workers.layers.sketch import LatentSketch, Scales
from workers.layers.tensor_train import TensorTrainKernel, TensorTrainLayer
from workers.layers.tucker import TuckerKernel, TuckerLayer

__all__ = [
    "BinaryConv",
    "CPKernel",
    "CPLayer",
    "DenseKernel",
    "Execution",
    "LatentKernel",
    "LatentLayer",
    "LatentSketch",
    "Scales",
    "SignGradient",
    "TensorTrainKernel",
    "TensorTrainLayer",
    "TuckerKernel",
    "TuckerLayer",
    "binary_kernel",
    "cheaper_execution",
    "hosvd",
    "mode_product",
    "resolve_rank",
]
