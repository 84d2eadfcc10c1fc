"""Layers whose kernel is a tensor train: a chain of cores, each sharing a bond with the next (Oseledets, 2011; Novikov et al., 2015)."""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Unpack

import torch
from torch import Tensor, nn

from workers.layers.latent import LatentKernel, LatentLayer, LayerSettings, Transposed, divided
from workers.layers.sketch import LatentSketch, Scales


class TensorTrainKernel(LatentKernel):
    """A kernel of shape (filters, channels, *spatial) as a chain of cores in the order in which a signal passes: channels, the spatial
    modes, filters. W[f, c, h, w] = A[c, :] B[:, h, :] C[:, w, :] D[:, f], the cores being A (channels, r1), B (r1, height, r2),
    C (r2, width, r3) and D (r3, filters); `rank` are the bonds (r1, r2, r3).

    Its latent dimensions are the bonds, and the sketch draws from these: into each sketched bond k comes a matrix diag(lambda_k), i.i.d.
    Bernoulli(theta) and with `rescale` over theta: W = A diag(l1) B diag(l2) C diag(l3) D. The draws of different bonds are independent
    and W is linear in each, so that E[sketched W] = A E[diag(l1)] B E[diag(l2)] C E[diag(l3)] D = W: one factor 1/theta per sketched
    bond, as Tucker form has one per sketched mode. `sketch_modes` channels are the outermost bonds, which are the latent
    channels and latent filters; all are the ones between spatial modes too.
    """

    factorization = "tt"

    def __init__(self, shape: Sequence[int], rank: Sequence[int], *, sketch: LatentSketch) -> None:
        super().__init__()
        filters, channels, *spatial = shape
        modes = [channels, *spatial, filters]
        if len(rank) != len(modes) - 1 or min(rank) < 1:
            raise ValueError(f"tensor-train rank {tuple(rank)} for a kernel of shape {tuple(shape)}: must be {len(modes) - 1} numbers >= 1")
        self.shape, self.rank, self.sketch = tuple(shape), tuple(rank), sketch
        self.fan_in = math.prod(self.shape[1:])
        bonds = [1, *rank, 1]
        self.cores = nn.ParameterList(torch.empty(bonds[k], d, bonds[k + 1]) for k, d in enumerate(modes))

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draw orthonormal outer cores where there is one between them, and Gaussian ones else, such that the kernel has Kaiming's
        variance 2 / fan_in (He et al., 2015)."""
        outer, size = [self.cores[0], self.cores[-1]], math.prod(self.shape) * 2 / self.fan_in
        inner = list(self.cores[1:-1]) or outer[1:]
        for core in outer:
            nn.init.orthogonal_(core.view(-1, core.shape[0] * core.shape[2]), generator=generator)
        # The square of the kernel's norm is that of the inner cores' product where the outer ones are orthonormal.
        terms = math.prod(self.rank) * math.prod(core.shape[1] for core in inner)
        for core in inner:
            nn.init.normal_(core, std=(size / terms) ** (0.5 / len(inner)), generator=generator)

    @torch.no_grad()
    def decompose(self, kernel: Tensor) -> None:
        """Set the cores from a dense kernel of shape `self.shape` (see `train_cores`)."""
        for own, core in zip(self.cores, train_cores(kernel.movedim(0, -1), self.rank), strict=True):
            own.copy_(core)

    def draw(self, *, batch: int = 1) -> Scales:
        """Return the scales of each bond, see `LatentSketch.scales`, to which the outermost ones are the channel modes."""
        order = sorted(range(len(self.rank)), key=lambda bond: 0 < bond < len(self.rank) - 1)
        ranks = [self.rank[bond] for bond in order]
        drawn = self.sketch.scales(ranks, device=self.cores[0].device, batch=batch, owner=self)
        return [drawn[order.index(bond)] for bond in range(len(order))]

    def build(self, scales: Scales) -> Tensor:
        """Return the kernel under a given draw (a convolution's 4-d one is in channels-last memory format)."""
        filters, channels, *spatial = self.shape
        if not spatial:
            return self.last @ self.channels(scales)
        with torch.autocast(self.cores[0].device.type, enabled=False):
            core = self.core(scales, filters=True).flatten(2).transpose(1, 2).flatten(0, 1)
            kernel = core @ self.channels(scales)
        return kernel.view(filters, *spatial, channels).movedim(-1, 1)

    def channels(self, scales: Scales) -> Tensor:
        """Return the matrix of the first core, (r1, channels), with the scales of its bond."""
        return self._scaled(0, scales).flatten(0, 1).t()

    def core(self, scales: Scales, *, filters: bool = False) -> Tensor:
        """Return the product of the spatial cores, (last bond, r1, *spatial); with `filters` of the last core too, (filters, r1, ...)."""
        with torch.autocast(self.cores[0].device.type, enabled=False):
            between = [self._scaled(k, scales) for k in range(1, len(self.cores) - 1)]
            product: Tensor = reduce(lambda left, right: left.flatten(0, -2) @ right.flatten(1), between)
            product = product.reshape(self.rank[0], -1, self.rank[-1])
            product = product @ self.last.t() if filters else product
        return product.permute(2, 0, 1).reshape(-1, self.rank[0], *self.shape[2:])

    @property
    def last(self) -> Tensor:
        """The matrix of the last core, (filters, last bond)."""
        last: Tensor = self.cores[-1]
        return last.flatten(1).t()

    def _scaled(self, place: int, scales: Scales) -> Tensor:
        """Return a core with the scales of the bond that follows it."""
        core: Tensor = self.cores[place]
        scale = scales[place]
        return core if scale is None else core * scale


class TensorTrainLayer(LatentLayer):
    """A convolution (1-d or 2-d) or a linear layer whose kernel is a tensor train, see `LatentLayer`.

    Its chain is 1x1 -> core -> 1x1, the core being the product of the spatial cores and not one convolution for each of them: with
    a bond between them that is as wide as the outer ones or wider, one convolution costs no more and reads the activations once.

    Args:
        shape: the kernel's shape.
        rank: its bonds, one number between each two modes of channels, *spatial, filters.
        sketch: the network's sketch.
        others: `execution`, the geometry and `bias`, as of `LatentLayer`.
    """

    kernel: TensorTrainKernel

    def __init__(self, shape: Sequence[int], rank: Sequence[int], *, sketch: LatentSketch, **others: Unpack[LayerSettings]) -> None:
        super().__init__(TensorTrainKernel(shape, rank, sketch=sketch), **others)

    def _chain(self, inputs: Tensor, scales: Scales) -> Tensor:
        """Compute channels -> first bond -> last bond -> filters."""
        (shared, per_example), kernel, pointwise = divided(scales), self.kernel, self._is_pointwise
        latent = self._move(inputs, self._unit(kernel.channels(shared)), None, geometry=pointwise)
        latent = self._scaled(latent, per_example[0])
        if self._order:
            if pointwise and per_example[-1] is None:
                return self._move(latent, kernel.core(shared, filters=True), self.bias, geometry=False)
            latent = self._move(latent, kernel.core(shared), None, geometry=not pointwise)
            latent = self._scaled(latent, per_example[-1])
        return self._move(latent, self._unit(kernel.last), self.bias, geometry=False)


class TransposedTensorTrainLayer(Transposed, TensorTrainLayer):
    """A transposed convolution with such a kernel, see `Transposed`."""


def train_cores(tensor: Tensor, rank: Sequence[int]) -> list[Tensor]:
    """Return the cores (r[k - 1], shape[k], r[k]) of a tensor's train with these bonds, in its type, by TT-SVD in float64.

    Source: Oseledets, 2011, algorithm 1: its error is at most the root of the summed squares of the singular values left out, and none
    where no bond is smaller than it must be.
    """
    rest, left, cores = tensor.detach().double(), 1, []
    for d, bond in zip(tensor.shape, rank, strict=False):
        vectors, values, others = torch.linalg.svd(rest.reshape(left * d, -1), full_matrices=False)
        cores.append(vectors[:, :bond].view(left, d, bond))
        rest, left = values[:bond, None] * others[:bond], bond
    return [core.to(tensor) for core in [*cores, rest.view(left, tensor.shape[-1], 1)]]
