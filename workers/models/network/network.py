"""Network interface for the rest of the library: built from a spec, with normalisation, sketch and defence."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from workers.components.facts import DatasetInfo, ModelFacts
from workers.defences.base import Defence
from workers.errors import JobError, UserError
from workers.layers import DenseKernel, LatentKernel, LatentSketch, SignGradient
from workers.layers.activation_checkpointing import NetworkPart
from workers.models.network.tensorize import Tensorization, binarize, tensorize
from workers.spec.component import UNDEFENDED, DefenceSpec
from workers.spec.fields import Initialisation, Normalisation, Randomness, SignGradientName
from workers.spec.model import ModelSpec

_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Network(nn.Module):
    """Network from inputs (batch, *shape) in the data set's units and bounds to logits (batch, n_classes).

    Every forward pass of a net with theta < 1 draws a fresh sketch per layer from the generator made by `seed`; so does a randomised
    defence. Both do so in train and eval mode alike.

    In eval mode at most `examples_at_once` go through the layers together (None: all): less memory, under the same draws, and with the
    same logits up to rounding. The backward pass recomputes each part when it needs it.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        body: nn.Module,
        *,
        sketch: LatentSketch,
        info: DatasetInfo,
        signs: SignGradient | None = None,
        defence: DefenceSpec = UNDEFENDED,
        body_facts: ModelFacts | None = None,
        normalisation: Normalisation = "data",
    ) -> None:
        super().__init__()
        self.body = body
        self.sketch = sketch
        self.signs = signs
        self.defence = build_defence(defence, bounds=(info.low, info.high))
        self.defence.install(body)
        self.bounds = (info.low, info.high)
        self.n_classes = info.n_classes
        self.examples_at_once: int | None = None
        self.randomised_body = body_facts is not None and body_facts.randomised
        self.normalises_itself = body_facts is not None and body_facts.normalised
        per_channel = (1, -1, *[1] * (len(info.shape) - 1))
        mean, std = _moments(info, normalisation)
        self.register_buffer("mean", torch.tensor(mean).view(per_channel), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(per_channel), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        most = self.examples_at_once
        if self.training or most is None or len(inputs) <= most:
            return self._pass(inputs)
        places = [slice(start, start + most) for start in range(0, len(inputs), most)]
        first = NetworkPart(len(inputs), places[0])
        return torch.cat([self._divided(inputs[place], first.at(place)) for place in places])

    def _divided(self, inputs: Tensor, part: NetworkPart) -> Tensor:
        """Return the logits of a part of a pass; only its inputs and its random draws are kept for the gradient."""
        # All randomness is explicit, and `part` holds it: PyTorch's own generators need not be saved.
        logits: Tensor = checkpoint(self.of_part, inputs, part, use_reentrant=False, preserve_rng_state=False)
        return logits

    def of_part(self, inputs: Tensor, part: NetworkPart) -> Tensor:
        """Return the logits of the inputs at a part's place, under their draws among those of the whole pass."""
        before = self.sketch.part
        self.sketch.part = self.defence.part = part.at(part.place)  # a backward pass comes here again
        try:
            return self._pass(inputs)
        finally:
            self.sketch.part = self.defence.part = before

    def _pass(self, inputs: Tensor) -> Tensor:
        seen = self.defence.transformed(inputs)
        logits: Tensor = self.body(seen if self.normalises_itself else (seen - self.mean) / self.std)
        return logits

    def seed(self, seed: int) -> torch.Generator:
        """Set one fresh generator for sketch and defence, on the network's device, and return it; equal seeds give equal draws."""
        generator = torch.Generator(self.mean.device).manual_seed(seed)
        self.sketch.generator = self.defence.generator = generator
        return generator

    @property
    def randomised(self) -> bool:
        """True where two forward passes on equal inputs may differ (outside `full_weights`)."""
        return self.sketch.theta < 1 or self.defence.randomised or self.randomised_body

    @property
    def randomness(self) -> Randomness:
        """Scope of a draw in the next forward pass: a `batch` (also where the body draws, which is taken for the larger scope), an
        `example` (as a defence's draws), or `none`: nothing is drawn."""
        if self.randomised_body:
            return "batch"
        if self.sketch.live:
            return self.sketch.draws
        return "example" if self.defence.live else "none"

    def penalty(self) -> Tensor | None:
        """Return the defence's term of the training loss, a scalar; None for none."""
        return self.defence.penalty(self.body)

    @contextmanager
    def full_weights(self) -> Iterator[None]:
        """Switch all randomness off: the network computes with its full weights, and a randomised defence is off; a deterministic
        defence stays active."""
        with self.sketch.full_weights(), self.defence.derandomised():
            yield

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold one draw: inside, the draw of the first forward pass, for one example where draws are per example, is used for every
        example of this and of all later passes, independent of their batches."""
        with self.sketch.frozen(), self.defence.frozen():
            yield

    @contextmanager
    def draws_shared(self, copies: int) -> Iterator[None]:
        """Inside, a batch is so many copies of a smaller one, one after the other, and all copies of an example have its one draw."""
        self.sketch.copies = self.defence.copies = copies
        try:
            yield
        finally:
            self.sketch.copies = self.defence.copies = 1

    @contextmanager
    def sign_gradient(self, name: SignGradientName) -> Iterator[None]:
        """Differentiate the sign of a binary network's activations as `name`; the forward pass is unchanged.

        Raises:
            UserError: the network is not binary, and `name` is not `identity`.
            ValueError: there is no such gradient.
        """
        if self.signs is None:
            if name != "identity":
                raise UserError(f"sign_gradient '{name}': the model is not binary, it must be identity")
            yield
            return
        with self.signs.using(name):
            yield

    def ranks(self) -> dict[str, list[int]]:
        """Return the resolved rank of each tensorized layer by its name."""
        kernels = ((name, module) for name, module in self.body.named_modules() if isinstance(module, LatentKernel))
        return {name.removesuffix(".kernel"): list(kernel.rank) for name, kernel in kernels}


def build(spec: ModelSpec, info: DatasetInfo, *, seed: int, defence: DefenceSpec = UNDEFENDED) -> Network:
    """Return a freshly initialised network for one data set, on the CPU, in training mode.

    Args:
        spec: architecture, rank, sketch, and binary or real weights.
        info: number of classes, shape and bounds of the inputs, the normalisation's mean and standard deviation.
        seed: of the initial weights.
        defence: the defence around or inside it; it does not affect the initial weights.
    """
    body, sketch = bare_body(spec, info, seed=seed), _sketch(spec)
    if spec.tensorized:
        tensorize(body, tensorization(spec, "random", body), sketch=sketch, input_shape=info.shape)
    signs = SignGradient() if spec.binary else None
    if signs is not None:
        binarize(body, signs=signs)
    initialise(body, torch.Generator().manual_seed(seed), kept=spec.facts.initialised)
    return Network(body, signs=signs, **_around(spec, sketch, info, defence))


def decomposed(dense: Network, spec: ModelSpec, info: DatasetInfo, *, defence: DefenceSpec = UNDEFENDED) -> Network:
    """Return the tensorized network of `spec`, made from a trained dense one by decomposing its kernels; all else is unchanged.

    With the full rank and theta 1 its outputs equal those of `dense`, up to rounding. `dense` must not be used afterwards: its layers
    become the new network's.

    Args:
        dense: on the CPU, of the same architecture and width, without a defence.
        spec: of the new network.
        info: the data set's.
        defence: of the new network.
    """
    sketch = _sketch(spec)
    tensorize(dense.body, tensorization(spec, "decompose", dense.body), sketch=sketch, input_shape=info.shape)
    return Network(dense.body, **_around(spec, sketch, info, defence))


def _around(spec: ModelSpec, sketch: LatentSketch, info: DatasetInfo, defence: DefenceSpec) -> dict[str, Any]:
    """The arguments of `Network` that its spec says."""
    said = {"body_facts": spec.facts, "normalisation": spec.normalisation}
    return {"sketch": sketch, "info": info, "defence": defence, **said}


def _moments(info: DatasetInfo, normalisation: Normalisation) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and the standard deviation of each channel by which inputs are normalised.

    Raises:
        UserError: ImageNet's, and the inputs have not its three channels.
    """
    if normalisation == "data":
        return info.mean, info.std
    if normalisation == "none":
        return (0.0,) * len(info.mean), (1.0,) * len(info.std)
    if info.shape[0] != len(_IMAGENET[0]):
        raise UserError(f"normalisation=imagenet: is of 3 channels, and the data set has {info.shape[0]}; one of data, none")
    return _IMAGENET


def _sketch(spec: ModelSpec) -> LatentSketch:
    return LatentSketch(theta=spec.theta, modes=spec.sketch_modes, rescale=spec.rescale, all_zero=spec.all_zero, draws=spec.draws)


def tensorization(spec: ModelSpec, init: Initialisation, body: nn.Module) -> Tensorization:
    """Return how the layers of a spec's bare network become layers in factors."""
    return Tensorization(
        rank_fraction=spec.rank_fraction,
        fractions={} if spec.rank_fractions is None else _fractions(body, spec.rank_fractions),
        rank_kind=spec.rank_kind,
        factorization=spec.factorization,
        first=spec.tensorize_first,
        linear=spec.tensorize_linear,
        attention=spec.tensorize_attention,
        transposed=spec.tensorize_transposed,
        grouped="keep",
        execution=spec.execution,
        init=init,
    )


def _fractions(body: nn.Module, by_pattern: Mapping[str, float]) -> dict[str, float]:
    """The rank fraction of each layer that a pattern matches, by the layer's name; the first pattern that matches counts."""
    patterns = [(re.compile(pattern), fraction) for pattern, fraction in by_pattern.items()]
    found: dict[str, float] = {}
    for name, _ in body.named_modules():
        found |= next(({name: fraction} for pattern, fraction in patterns if pattern.match(name)), {})
    return found


def bare_body(spec: ModelSpec, info: DatasetInfo, *, seed: int) -> nn.Module:
    """Return the bare network of a spec, whatever it draws while it is made drawn from the seed; PyTorch's global generator is left as it
    was."""
    component = spec.component
    binary = {"binary": spec.binary} if component.accepts("binary") else {}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        made = component.create(info, **dict(spec.settings), **binary)
    if not isinstance(made, nn.Module):
        raise JobError(f"model {component.name} ({component.place}): returned {type(made).__name__}, must be a torch.nn.Module")
    body: nn.Module = made
    while isinstance(body, nn.DataParallel):
        body = body.module
    return body


def build_defence(spec: DefenceSpec, *, bounds: tuple[float, float]) -> Defence:
    """Return the defence of a spec for inputs within `bounds`; nothing is installed yet."""
    defence: Defence = spec.component.create(**dict(spec.settings))
    defence.name, defence.randomised, defence.bounds = spec.name, spec.facts.randomised, bounds
    return defence


@torch.no_grad()
def initialise(body: nn.Module, generator: torch.Generator, *, kept: bool = False) -> None:
    """Draw every random parameter anew from the explicit generator; with `kept` only kernels in factors, whose dense ones are gone."""
    for module in body.modules():
        if isinstance(module, LatentKernel | DenseKernel):
            module.initialise(generator)
        elif not kept:
            _initialise_dense(module, generator)


def _initialise_dense(module: nn.Module, generator: torch.Generator) -> None:
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
    elif isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, a=5**0.5, generator=generator)
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
