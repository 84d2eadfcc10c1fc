"""Choice of the stored models that a table shows: settings that have to be the same in all figures that are read next to each other."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import isclose, log

from orchestrator.naming.own_settings import value_of
from orchestrator.report.paper.deviations import distance
from orchestrator.report.paper.published import PublishedFigure
from orchestrator.store import ResultRow
from search_spaces import paper_steps
from workers.registry import ATTACKS
from workers.spec.fields import epsilon_fraction

_STEP_SIZE = 1 / 255
_USUAL = {"norm": "linf", "target": "none", "loss": "ce", "restarts": 1, "early_stop": False}
"""Settings that all of the paper's attacks have; whose implementation runs makes no difference."""


def meets(cell: PublishedFigure, row: ResultRow) -> bool:
    """Tell whether the row holds what the cell is of, whatever its size, rank, seed and training."""
    if row.split != "test" or not _is_of_model(cell, row):
        return False
    return row.clean_accuracy is not None if cell.attack == "none" else _is_of_attack(cell, row)


def _is_of_model(cell: PublishedFigure, row: ResultRow) -> bool:
    named = ("dataset", "model", "binary", "defence", "adversarial_training")
    settings = row.defence_settings or {}
    return (
        row.rank_fractions is None  # the paper's nets have one rank
        and all(getattr(cell, name) == getattr(row, name) for name in named)
        and isclose(cell.theta, row.theta)
        and all(name in settings and isclose(settings[name], value) for name, value in cell.defence_settings.items())
    )


def _is_of_attack(cell: PublishedFigure, row: ResultRow) -> bool:
    named = ("attack", "knowledge", "sign_gradient")
    if row.robust_accuracy is None or any(getattr(cell, name) != getattr(row, name) for name in named):
        return False
    return all(getattr(row, name) == value for name, value in _USUAL.items()) and _takes_the_papers_steps(cell, row)


def _takes_the_papers_steps(cell: PublishedFigure, row: ResultRow) -> bool:
    assert cell.epsilon is not None  # noqa: S101 (a cell with an attack has one)
    epsilon, settings = _papers_settings(cell.attack, cell.epsilon)
    found = row.attack_settings
    return isclose(row.epsilon, epsilon, rel_tol=1e-9) and all(
        name in found and isclose(found[name], value, rel_tol=1e-9) for name, value in settings.items()
    )


@cache
def _papers_settings(attack: str, literal: str) -> tuple[float, dict[str, float]]:
    """Epsilon, and those of the number of steps and their size that the attack has, in input units."""
    epsilon = epsilon_fraction(literal)
    papers = {"steps": paper_steps(epsilon), "abs_stepsize": _STEP_SIZE}
    return float(epsilon), {name: value for name, value in papers.items() if name in ATTACKS[attack].settings.model_fields}


PAPER_WIDTHS = {"resnet18": 64, "soundnet5": 16}
"""The `width` of the paper's networks."""
TEST_EXAMPLES = {"cifar10": 10_000}
"""All there are, where that is one number: the lists of Speech Commands' subsets differ."""

RankChoice = tuple[str, float]
"""The kind and the fraction."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Settings that the models of a table have in common. A dense model has no `rank` and one at theta 1 no `sketch`: they belong to every
    setup that is like theirs in all else."""

    sweep: str
    width: int
    train_examples: int | None
    seed: int | None
    n_examples: int
    batch_size: int
    rank: RankChoice | None
    sketch: tuple[str, bool] | None

    @classmethod
    def of(cls, row: ResultRow) -> "Setup":
        return cls(
            sweep=row.sweep,
            width=value_of(row, "model.width"),
            train_examples=row.train_examples,
            seed=row.seed,
            n_examples=row.n_examples,
            batch_size=row.evaluation_batch_size,
            rank=(row.rank_kind, row.rank_fraction) if row.rank_fraction is not None else None,
            sketch=(row.sketch_modes, row.rescale) if row.theta < 1 else None,
        )

    @property
    def line_up(self) -> "Setup":
        """The setup without its rank, which the paper does not state: setups of one line-up are shown next to each other."""
        return replace(self, rank=None)

    def admits(self, other: "Setup") -> bool:
        alike = replace(other, rank=self.rank, sketch=self.sketch) == self
        return alike and other.rank in (None, self.rank) and other.sketch in (None, self.sketch)


FoundRows = dict[PublishedFigure, dict[Setup, list[ResultRow]]]
"""All rows that meet a cell, by what they are themselves of."""

SetupParts = dict[Setup, list[Setup]]
"""Setups that can be shown, those nearest to the paper's first, each with itself and what else belongs to it."""


def found(cells: Sequence[PublishedFigure], rows: Iterable[ResultRow]) -> FoundRows:
    """Find the rows that meet each cell; rows are looked up by what settles most, so that a large store is gone through once."""
    nets: dict[tuple[Hashable, ...], list[tuple[Setup, ResultRow]]] = {_net(cell): [] for cell in cells}
    for row in rows:
        if (net := _net(row)) in nets:
            nets[net].append((Setup.of(row), row))
    candidates: FoundRows = {}
    for cell in cells:
        candidates[cell] = defaultdict(list)
        for setup, row in nets[_net(cell)]:
            if meets(cell, row):
                candidates[cell][setup].append(row)
    return candidates


def _net(of: PublishedFigure | ResultRow) -> tuple[Hashable, ...]:
    return of.dataset, of.model, round(of.theta, 6), of.binary, of.defence, of.adversarial_training


def setups_of(candidates: FoundRows) -> SetupParts:
    """Every setup in which something was found and that is no part of another."""
    alike = defaultdict(list)
    for setup in dict.fromkeys(setup for by_setup in candidates.values() for setup in by_setup):
        alike[replace(setup, rank=None, sketch=None)].append(setup)
    parts: SetupParts = {}
    for setups in alike.values():
        for setup in setups:
            if not any(other != setup and other.admits(setup) for other in setups):
                parts[setup] = [other for other in setups if setup.admits(other)]
    cell = next(iter(candidates))
    most = _filled(candidates, parts)
    return {
        setup: parts[setup] for setup in sorted(parts, key=lambda one: _distance(one, cell.model, cell.dataset, filled=most[one.line_up]))
    }


def _filled(candidates: FoundRows, parts: SetupParts) -> dict[Setup, int]:
    """Count the cells that each line-up fills, in the rank in which it fills most."""
    most: dict[Setup, int] = defaultdict(int)
    for setup, members in parts.items():
        filled = sum(any(member in by_setup for member in members) for by_setup in candidates.values())
        most[setup.line_up] = max(most[setup.line_up], filled)
    return most


def rows_of(by_setup: Mapping[Setup, list[ResultRow]], members: Iterable[Setup]) -> list[ResultRow]:
    """A cell's rows in a setup, given the setup's parts."""
    return [row for member in members for row in by_setup.get(member, ())]


def chosen(candidates: FoundRows, members: Sequence[Setup]) -> tuple[dict[PublishedFigure, ResultRow], list[list[ResultRow]]]:
    """The row of a setup, given its parts, for each cell that has one; and for each net of which other models of the setup are left out
    a row of each of its models.

    Figures that the paper has of one net are ours of one net. Where the setup has several (they differ in their training or in settings
    that the paper does not name), the one trained longest is shown, of these the one nearest to what the paper states, never the one that
    does best. A row is the one that was measured most often.
    """
    by_net: dict[tuple[Hashable, ...], dict[str, dict[PublishedFigure, ResultRow]]] = defaultdict(lambda: defaultdict(dict))
    for cell, by_setup in candidates.items():
        for row in sorted(rows_of(by_setup, members), key=lambda row: (row.repeats * row.draws, row.job_keys)):
            by_net[cell.net][row.model_key][cell] = row
    shown: dict[PublishedFigure, ResultRow] = {}
    for models in by_net.values():
        preferred = min(models.values(), key=_preference)
        shown |= preferred
    keys = {row.model_key for row in shown.values()}
    of_nets = [[next(iter(figures.values())) for figures in models.values()] for models in by_net.values()]
    return shown, [models for models in of_nets if any(row.model_key not in keys for row in models)]


def _preference(figures: Mapping[PublishedFigure, ResultRow]) -> tuple[bool, int, int, int, str]:
    """Return the sort key by which one of several models is preferred; all that counts of its figures is how many they are."""
    cell, row = next(iter(figures.items()))
    return row.tensorized != cell.tensorized, -row.epochs, -len(figures), distance(row), row.model_key


def _distance(setup: Setup, model: str, dataset: str, *, filled: int) -> tuple[object, ...]:
    """Return the sort key of its distance from the paper's: size first, then how much of the table it fills; ranks of one line-up stay
    together."""
    full_width = PAPER_WIDTHS[model]
    size = (setup.width != full_width, setup.train_examples is not None, setup.n_examples < TEST_EXAMPLES.get(dataset, 0))
    smaller = (abs(log(setup.width / full_width)), -(setup.train_examples or 0), -setup.n_examples)
    rest = (setup.seed or 0, setup.sweep, setup.batch_size, setup.sketch or ("", True))
    return (*size, -filled, *smaller, *rest, setup.rank or ("", 0.0))
