"""Asynchronous successive halving (Li et al., 2020, ASHA) for one objective or several: choice of the trials that continue after a rung.

Pure functions. Of n trials that have reached a rung the best n // factor continue. No trial continues before `factor` trials are there;
one that was not among the best and becomes so as others arrive is promoted then. So no trial waits, and the order of execution depends
only on the order of arrival: of the same n trials the same ones are among the best.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces import ObjectiveGoal

Losses = NDArray[np.float64]
"""Losses, shape (trials, objectives); lower is better."""


@dataclass(frozen=True)
class RungResult:
    """Result of a trial on a rung: its objectives, and its violation of the constraints that are known there (0: none)."""

    number: int
    values: tuple[float, ...]
    violation: float = 0.0


def best(results: Sequence[RungResult], *, goals: Sequence[ObjectiveGoal], factor: int) -> list[RungResult]:
    """Return the trials that continue, the best first: a share of 1 / `factor`, rounded down."""
    return ranked(results, goals=goals)[: len(results) // factor]


def ranked(results: Sequence[RungResult], *, goals: Sequence[ObjectiveGoal]) -> list[RungResult]:
    """Return the results, the best first.

    Feasible trials come before those that violate constraints, which are sorted by their violation. With several objectives the
    non-dominated trials come first, then those that only these dominate, and so on; within a front the order is by descending crowding
    distance (NSGA-II, Deb et al., 2002): the ends of the front first, then its sparsest parts. Ties go to the trial with the lower
    number.
    """
    by_number = sorted(results, key=lambda result: result.number)
    feasible = [result for result in by_number if result.violation <= 0]
    violating = sorted((result for result in by_number if result.violation > 0), key=lambda result: result.violation)
    losses = np.array([_losses(result, goals) for result in feasible]).reshape(len(feasible), len(goals))
    return [feasible[place] for front in _fronts(losses) for place in _by_crowding_distance(front, losses)] + violating


def _losses(result: RungResult, goals: Sequence[ObjectiveGoal]) -> list[float]:
    return [value if goal == "minimize" else -value for value, goal in zip(result.values, goals, strict=True)]


def _fronts(losses: Losses) -> Iterator[NDArray[np.intp]]:
    """Yield the indices of the non-dominated trials of those that are left, front by front."""
    no_worse = np.logical_and.reduce([column[:, None] <= column[None] for column in losses.T])
    dominates = no_worse & ~no_worse.T
    better = np.sum(dominates, axis=0)  # how many of those left dominate each
    while len(front := np.flatnonzero(better == 0)):
        yield front
        better -= np.sum(dominates[front], axis=0)
        better[front] = -1


def _by_crowding_distance(front: NDArray[np.intp], losses: Losses) -> list[int]:
    distances = _crowding(losses[front])
    return [int(front[place]) for place in np.argsort(-distances, kind="stable")]


def _crowding(losses: Losses) -> NDArray[np.float64]:
    """Return the crowding distance of each point of a front, shape (points,); infinite at the ends of every objective."""
    distances = np.zeros(len(losses))
    for column in losses.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]]
        if spread > 0:
            distances[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
            distances[order[[0, -1]]] = np.inf
    return distances
