"""Square attack (Andriushchenko et al., 2020): random search without gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import PlainValidator

from workers.registry import attack
from workers.spec.step_settings import IsNumber, steps_or_paper

if TYPE_CHECKING:
    from torch import Tensor

    from workers.attacks.engine.problem import Problem

Queries = Annotated[Any, PlainValidator(steps_or_paper(5000)), IsNumber("int")]
"""A number of queries; `paper` is AutoAttack's."""


@attack(norms=("l2", "linf"), takes_gradients=False, random_start=True, selects=True, loss="margin", targeted_loss="ce")
def square(problem: Problem, *, steps: Queries = "paper", schedule: Literal["paper", "scaled"] = "scaled") -> Tensor:
    """Random search in `steps` queries; windows shrink after the paper's numbers of queries, or scaled: after these shares of `steps`."""
    from workers.attacks.engine.random_search import random_search

    return random_search(problem, queries=steps, scaled=schedule == "scaled")
