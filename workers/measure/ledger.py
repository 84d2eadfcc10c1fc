"""Record of what an attack spends, and of the sizes of what it finds."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from workers.artifacts.per_example import Spent
from workers.attacks.engine import Watched
from workers.attacks.engine.norms import BALLS
from workers.measure.resumable_loop import Found
from workers.spec.fields import NormName

_PASSES, _SIZES = "passes", "smallest"


@dataclass
class Ledger:
    """Costs of an attack, batch by batch, among the outputs for each example, so that they survive an interruption as these do.

    `norm` is that in which perturbations are measured, `rows` are those of the last batch; `sizes` are None where the attack does not
    minimise them.
    """

    norm: NormName | None = None
    rows: Found = field(default_factory=dict)
    spent: Spent | None = None
    sizes: Tensor | None = None

    def note(self, watched: Watched, *, minimises: bool) -> None:
        """Take down what was asked of a net for one batch."""
        passes = watched.passes
        costs = torch.zeros((len(watched.flags), 3), dtype=torch.int64)
        costs[0] = torch.tensor([passes.forward, passes.backward, passes.queries])  # all of the batch's, at its first example
        self.rows = {_PASSES: costs} | ({_SIZES: watched.sizes.cpu()} if minimises else {})

    def measured(self, inputs: Tensor, examples: Tensor) -> Found:
        """Return the rows of the last batch, with the sizes of its perturbations."""
        return self.rows | ({} if self.norm is None else {"sizes": BALLS[self.norm].distances(examples - inputs).cpu()})

    def close(self, found: Found) -> None:
        """Sum up what all batches spent, from the outputs of all examples."""
        if _PASSES in found:
            forward, backward, queries = found[_PASSES].sum(dim=0).tolist()
            self.spent = Spent(forward=forward, backward=backward, queries=queries)
        self.sizes = found.get(_SIZES)

    def sizes_in(self, found: Found) -> Tensor | None:
        """Return the smallest sizes that succeeded, or those of all perturbations; None without attack."""
        return found.get(_SIZES, found.get("sizes"))
