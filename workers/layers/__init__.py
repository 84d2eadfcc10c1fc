"""Tensorized layers and their latent sketch; binary layers and their gradient."""

from workers.layers.attention import ProjectedAttention
from workers.layers.binary import BinaryConv, DenseKernel, SignGradient, binary_kernel
from workers.layers.cost import Execution, cheaper_execution
from workers.layers.cp import CPKernel, CPLayer, TransposedCPLayer
from workers.layers.kernel import hosvd, mode_product
from workers.layers.latent import LatentKernel, LatentLayer, Transposed
from workers.layers.rank import resolve_rank
from workers.layers.sketch import LatentSketch, Scales
from workers.layers.tensor_train import TensorTrainKernel, TensorTrainLayer, TransposedTensorTrainLayer
from workers.layers.tucker import TransposedTuckerLayer, TuckerKernel, TuckerLayer

__all__ = [
    "BinaryConv",
    "CPKernel",
    "CPLayer",
    "DenseKernel",
    "Execution",
    "LatentKernel",
    "LatentLayer",
    "LatentSketch",
    "ProjectedAttention",
    "Scales",
    "SignGradient",
    "TensorTrainKernel",
    "TensorTrainLayer",
    "Transposed",
    "TransposedCPLayer",
    "TransposedTensorTrainLayer",
    "TransposedTuckerLayer",
    "TuckerKernel",
    "TuckerLayer",
    "binary_kernel",
    "cheaper_execution",
    "hosvd",
    "mode_product",
    "resolve_rank",
]
