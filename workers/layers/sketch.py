"""The latent sketch: a random choice of a Tucker core's components (defensive tensorization, section 3, equations 3 and 4)."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from workers.layers.activation_checkpointing import NetworkPart
from workers.spec.fields import AllZero, Draws, SketchModes

_CHANNEL_MODES = 2
Scales = list[Tensor | None]


class LatentSketch:
    """The latent sketch that all Tucker layers of one network share.

    At every forward pass, train and eval alike, each layer draws for each sketched mode a vector of i.i.d. Bernoulli(`theta`) flags
    of that mode's rank; `theta` is the KEEP probability. With `rescale` a kept component is divided by the probability of being kept per
    sketched mode, so that the expected kernel is the full kernel: by theta, or theta / (1 - (1 - theta)^rank) under `all_zero` redraw.

    Args:
        theta: keep probability in (0, 1]; 1 means that nothing is drawn and the layer is the plain Tucker layer, bit for bit.
        modes: `channels` sketches the filter and channel modes only, `all` the spatial modes too.
        rescale: true for E[sketched kernel] = full kernel.
        all_zero: treatment of a draw that drops every component of a mode: `keep` it (the kernel is then zero), or
            `redraw` that mode so that a component is kept (the flags are then Bernoulli given that not all are 0).
        draws: one draw per layer and `batch` (the paper's), or one per layer and `example`.

    Raises:
        ValueError: theta is out of range, or draws per example are requested on spatial modes, which would need a kernel per example.
    """

    def __init__(
        self, *, theta: float, modes: SketchModes = "channels", rescale: bool = True, all_zero: AllZero = "keep", draws: Draws = "batch"
    ) -> None:
        if not 0 < theta <= 1:
            raise ValueError(f"theta={theta}: must be in (0, 1]")
        if draws == "example" and modes == "all":
            raise ValueError("draws='example' with sketch_modes='all': only the channel modes can be drawn per example")
        self.theta = theta
        self.modes = modes
        self.rescale = rescale
        self.all_zero = all_zero
        self.draws = draws
        self.generator: torch.Generator | None = None
        self._full = False
        self._held: dict[int, Scales] | None = None
        self.part: NetworkPart | None = None
        self.copies = 1

    @property
    def live(self) -> bool:
        """True where a forward pass is sketched: theta < 1 and not inside `full_weights`."""
        return self.theta < 1 and not self._full

    @contextmanager
    def full_weights(self) -> Iterator[None]:
        """Switch the sketch off: inside, the network is its own theta = 1 version (the omniscient attacker's view)."""
        before, self._full = self._full, True
        try:
            yield
        finally:
            self._full = before

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold one draw: inside, each layer draws at its first forward pass, one example's draw, and uses it for every example of this
        and of all later passes, independent of their batches."""
        before, self._held = self._held, {}
        try:
            yield
        finally:
            self._held = before

    def scales(self, rank: Sequence[int], *, device: torch.device, batch: int = 1, owner: object = None) -> Scales:
        """Return one draw: for each mode k a vector holding 0 (dropped) or 1, or with `rescale` more (kept); None where nothing is drawn.

        Args:
            rank: the layer's Tucker rank.
            device: of the layer's core.
            batch: examples in the forward pass.
            owner: the layer; `frozen` holds one draw for each.

        Returns:
            Vectors of shape (rank[k],), or with draws per example (batch, rank[k]), inside `frozen` (1, rank[k]).

        Raises:
            RuntimeError: the sketch is live and has no generator: its randomness must be explicit.
        """
        if not self.live:
            return [None] * len(rank)
        if self._held is None:
            return self._draw(rank, device=device, batch=batch) if self.part is None else self._of_part(self.part, rank, device, owner)
        if id(owner) not in self._held:
            self._held[id(owner)] = self._draw(rank, device=device, batch=1)
        return self._held[id(owner)]

    def _of_part(self, part: NetworkPart, rank: Sequence[int], device: torch.device, owner: object) -> Scales:
        """Return the part's rows of the layer's draw for the whole pass."""
        drawn = part.drawn((id(self), id(owner)), lambda: self._draw(rank, device=device, batch=part.count))
        return [flags if flags is None or flags.ndim == 1 else flags[part.place] for flags in drawn]

    def _draw(self, rank: Sequence[int], *, device: torch.device, batch: int) -> Scales:
        if self.generator is None:
            raise RuntimeError(f"theta={self.theta}: a live sketch needs a generator (seed it before the forward pass)")
        sizes = list(rank if self.modes == "all" else rank[:_CHANNEL_MODES])
        if self.draws == "example":
            chances = uniform_per_example((batch, sum(sizes)), self.generator, device, copies=self.copies)
        else:
            chances = torch.rand(sum(sizes), generator=self.generator, device=device)
        return [*map(self._mode_scales, chances.split(sizes, dim=-1)), *[None] * (len(rank) - len(sizes))]

    def _mode_scales(self, chances: Tensor) -> Tensor:
        """Return the scales of one mode, (..., rank), from as many uniform random numbers."""
        kept, probability = chances < self.theta, self.theta
        if self.all_zero == "redraw":
            some = -math.expm1(chances.shape[-1] * math.log1p(-self.theta))
            kept = torch.where(kept.any(dim=-1, keepdim=True), kept, self._some_kept(chances, some))
            probability = self.theta / some
        return kept.to(torch.float32) * (1 / probability if self.rescale else 1.0)

    def _some_kept(self, chances: Tensor, some: float) -> Tensor:
        """Return flags given that one is set, which has the probability `some`, from numbers that are all uniform on [theta, 1).

        The first kept place is drawn from the geometric distribution cut off at the rank, by the first number, the flags after it
        by the other numbers: no further draws, and no loop that a small theta would make endless.
        """
        anew = (chances.double() - self.theta) / (1 - self.theta)
        first = (torch.log1p(-some * anew[..., :1]) / math.log1p(-self.theta)).floor().clamp(0, chances.shape[-1] - 1)
        places = torch.arange(chances.shape[-1], device=chances.device)
        return (places == first) | ((places > first) & (anew < self.theta))


def uniform_per_example(shape: Sequence[int], generator: torch.Generator, device: torch.device, *, copies: int) -> Tensor:
    """Return numbers in [0, 1), (batch, ...); those of concatenated `copies` of a smaller batch are alike (see `Network.draws_shared`)."""
    count, *others = shape
    copies = 1 if count % copies else copies  # `frozen` draws for a single example
    drawn = torch.rand((count // copies, *others), generator=generator, device=device)
    return drawn if copies == 1 else drawn.repeat(copies, *[1] * len(others))
