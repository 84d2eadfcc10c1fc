"""The latent sketch: a random choice of a Tucker core's components (defensive tensorization, section 3, equations 3 and 4)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from workers.layers.recompute import Part
from workers.spec.fields import AllZero, Draws, SketchModes

_CHANNEL_MODES = 2
Scales = list[Tensor | None]


class LatentSketch:
    """The latent sketch that all Tucker layers of one network share.

    At every forward pass, train and eval alike, each layer draws for each sketched mode a vector of i.i.d. Bernoulli(`theta`) flags
    of that mode's rank; `theta` is the KEEP probability. With `rescale` a kept component is multiplied by 1/theta per sketched
    mode, so that the expected kernel is the full kernel (under `all_zero` keep).

    Args:
        theta: keep probability in (0, 1]; 1 means that nothing is drawn and the layer is the plain Tucker layer, bit for bit.
        modes: `channels` sketches the filter and channel modes only, `all` the spatial modes too.
        rescale: true for E[sketched kernel] = full kernel.
        all_zero: treatment of a draw that drops every component of a mode: `keep` it (the kernel is then zero), or
            `redraw` that mode until a component is kept (the flags are then Bernoulli given that not all are 0).
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
        self.part: Part | None = None

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
        """Return one draw: for each mode k a vector holding 0 (dropped) or 1, or 1/theta (kept); None where nothing is drawn.

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

    def _of_part(self, part: Part, rank: Sequence[int], device: torch.device, owner: object) -> Scales:
        """Return the part's rows of the layer's draw for the whole pass."""
        drawn = part.drawn((id(self), id(owner)), lambda: self._draw(rank, device=device, batch=part.count))
        return [flags if flags is None or flags.ndim == 1 else flags[part.place] for flags in drawn]

    def _draw(self, rank: Sequence[int], *, device: torch.device, batch: int) -> Scales:
        if self.generator is None:
            raise RuntimeError(f"theta={self.theta}: a live sketch needs a generator (seed it before the forward pass)")
        sizes = list(rank if self.modes == "all" else rank[:_CHANNEL_MODES])
        kept = self._flags((batch, sum(sizes)) if self.draws == "example" else (sum(sizes),), device)
        by_mode = list(kept.split(sizes, dim=-1))
        if self.all_zero == "redraw":
            by_mode = [self._redrawn(flags, device) for flags in by_mode]
        factor = 1 / self.theta if self.rescale else 1.0
        return [*(flags * factor for flags in by_mode), *[None] * (len(rank) - len(sizes))]

    def _flags(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        return (torch.rand(shape, generator=self.generator, device=device) < self.theta).to(torch.float32)

    def _redrawn(self, flags: Tensor, device: torch.device) -> Tensor:
        while not (some := flags.any(dim=-1, keepdim=True)).all():
            flags = torch.where(some, flags, self._flags(tuple(flags.shape), device))
        return flags
