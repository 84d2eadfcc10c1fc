"""The latent sketch: which components of a Tucker core a forward pass keeps (defensive tensorization, section 3, equations 3 and 4)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from workers.fields import SketchModes

_CHANNEL_MODES = 2


class LatentSketch:
    """The random choice that all Tucker layers of one network share.

    At every forward pass, train and eval alike, each layer draws for each sketched mode a vector of i.i.d. Bernoulli(`theta`) flags
    of that mode's rank; `theta` is the KEEP probability. With `rescale` a kept component is multiplied by 1/theta per sketched
    mode, so that the expected kernel is the full kernel. A draw that drops every component is kept: the kernel is then zero.

    Args:
        theta: keep probability in (0, 1]; 1 means that nothing is drawn and the layer is the plain Tucker layer, bit for bit.
        modes: `channels` sketches the filter and channel modes only, `all` the spatial modes too.
        rescale: whether E[sketched kernel] = full kernel.
    """

    def __init__(self, *, theta: float, modes: SketchModes = "channels", rescale: bool = True) -> None:
        if not 0 < theta <= 1:
            raise ValueError(f"theta={theta}: must be in (0, 1]")
        self.theta = theta
        self.modes = modes
        self.rescale = rescale
        self.generator: torch.Generator | None = None
        self._full = False

    @property
    def live(self) -> bool:
        """Whether a forward pass draws: theta < 1 and not inside `full_weights`."""
        return self.theta < 1 and not self._full

    @contextmanager
    def full_weights(self) -> Iterator[None]:
        """Switch the sketch off: inside, the network is its own theta = 1 version (what the omniscient attacker sees)."""
        before, self._full = self._full, True
        try:
            yield
        finally:
            self._full = before

    def scales(self, rank: Sequence[int], *, device: torch.device) -> list[Tensor | None]:
        """One draw: for each mode k a vector of shape (rank[k],) holding 0 (dropped) or 1, or 1/theta (kept); None where nothing is drawn.

        Raises:
            RuntimeError: the sketch is live and has no generator: its randomness must be explicit.
        """
        if not self.live:
            return [None] * len(rank)
        if self.generator is None:
            raise RuntimeError(f"theta={self.theta}: a live sketch needs a generator (seed it before the forward pass)")
        sketched = len(rank) if self.modes == "all" else min(_CHANNEL_MODES, len(rank))
        sizes = list(rank[:sketched])
        kept = torch.rand(sum(sizes), generator=self.generator, device=device) < self.theta
        drawn = kept.to(torch.float32) / (self.theta if self.rescale else 1.0)
        return [*drawn.split(sizes), *[None] * (len(rank) - sketched)]
