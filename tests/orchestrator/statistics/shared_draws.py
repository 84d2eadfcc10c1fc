"""Simulated attacks on a net whose sketch is drawn once for a batch."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit


class SharedDraws:
    """Equally strong attacks on the same examples: in a draw, a batch is right more or less often by luck that its examples share, and an
    example by its own; in a repeat an example by the luck of how it was crafted.

    Args:
        seed: of all that is drawn.
        examples: how many, in batches of `batch` (None: of all).
        shared, own, crafted: standard deviations of logits, of a batch in a draw, an example in a draw, an example in a repeat.
        crafted_shared: of a batch in a repeat.
    """

    def __init__(
        self,
        *,
        seed: int,
        examples: int = 200,
        batch: int | None = None,
        shared: float = 0.45,
        own: float = 0.6,
        crafted: float = 0.3,
        crafted_shared: float = 0.0,
    ) -> None:
        self.random = np.random.default_rng(seed)
        self.batch_of = np.arange(examples) // (batch or examples)
        self.deviations = {"shared": shared, "own": own, "crafted": crafted, "crafted_shared": crafted_shared}
        self.hardness = self.random.normal(-0.75, 2.2, examples)

    @property
    def truth(self) -> float:
        """The accuracy under each attack, in the long run: by Gauss-Hermite quadrature over all that is random but the examples."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(41)
        width = np.sqrt(sum(deviation**2 for deviation in self.deviations.values()))
        return float((expit(self.hardness[:, None] + width * nodes) @ weights / weights.sum()).mean())

    def attack(self, *, repeats: int, draws: int, gain: float = 0.0) -> NDArray[np.bool_]:
        """Return flags (repeats, draws, examples) of an attack, stronger than the others by `gain` logits."""
        batches = self.batch_of.max() + 1

        def normal(name: str, *shape: int) -> NDArray[np.float64]:
            return self.random.normal(0.0, self.deviations[name], (repeats, *shape))

        logits = self.hardness - gain + normal("crafted", 1, len(self.hardness)) + normal("own", draws, len(self.hardness))
        logits = logits + normal("shared", draws, batches)[..., self.batch_of] + normal("crafted_shared", 1, batches)[..., self.batch_of]
        return self.random.random(logits.shape) < expit(logits)
