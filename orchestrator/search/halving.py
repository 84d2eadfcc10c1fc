"""Which trials go on from a rung: asynchronous successive halving (Li et al., 2020, ASHA) for one objective or several. Pure functions.

Of n trials that have reached a rung the best n // factor go on. Nobody goes on before `factor` trials are there; who was among the worse
ones and comes to be among the best, as others arrive, is promoted then. So nobody waits, and nothing but the order of arrival decides
who runs when: of the same n trials the same ones are among the best.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Goal = Literal["maximize", "minimize"]
Losses = NDArray[np.float64]
"""(trials, objectives), the less the better."""


@dataclass(frozen=True)
class Standing:
    """What a trial came to on a rung: its objectives, and by how much it violates the constraints that are known there (0: not at all)."""

    number: int
    values: tuple[float, ...]
    violation: float = 0.0


def best(standings: Sequence[Standing], *, goals: Sequence[Goal], factor: int) -> list[Standing]:
    """Those that go on, the best first: a share of 1 / `factor`, rounded down."""
    return ranked(standings, goals=goals)[: len(standings) // factor]


def ranked(standings: Sequence[Standing], *, goals: Sequence[Goal]) -> list[Standing]:
    """The standings, the best first.

    Those that violate nothing come before those that do, which are ranked by how much. Of several objectives the trials that no other
    one dominates come first, then those that only these dominate, and so on; among equals of that kind those that stand the loneliest
    (the crowding distance of NSGA-II, Deb et al., 2002): the ends of the front first, then where it is thinnest. Ties go to the
    trial that was there earlier.
    """
    by_number = sorted(standings, key=lambda standing: standing.number)
    feasible = [standing for standing in by_number if standing.violation <= 0]
    violating = sorted((standing for standing in by_number if standing.violation > 0), key=lambda standing: standing.violation)
    losses = np.array([_losses(standing, goals) for standing in feasible]).reshape(len(feasible), len(goals))
    return [feasible[place] for front in _fronts(losses) for place in _loneliest_first(front, losses)] + violating


def _losses(standing: Standing, goals: Sequence[Goal]) -> list[float]:
    return [value if goal == "minimize" else -value for value, goal in zip(standing.values, goals, strict=True)]


def _fronts(losses: Losses) -> Iterator[NDArray[np.intp]]:
    """The places of those that nobody left dominates, front by front."""
    no_worse = np.logical_and.reduce([column[:, None] <= column[None] for column in losses.T])
    dominates = no_worse & ~no_worse.T
    better = np.sum(dominates, axis=0)  # how many of those left dominate each
    while len(front := np.flatnonzero(better == 0)):
        yield front
        better -= np.sum(dominates[front], axis=0)
        better[front] = -1


def _loneliest_first(front: NDArray[np.intp], losses: Losses) -> list[int]:
    distances = _crowding(losses[front])
    return [int(front[place]) for place in np.argsort(-distances, kind="stable")]


def _crowding(losses: Losses) -> NDArray[np.float64]:
    """The crowding distance of each point of a front, (points,); infinite at the ends of every objective."""
    distances = np.zeros(len(losses))
    for column in losses.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]]
        if spread > 0:
            distances[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
            distances[order[[0, -1]]] = np.inf
    return distances
