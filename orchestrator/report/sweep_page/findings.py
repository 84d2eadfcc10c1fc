"""Findings of a sweep: three sentences on the best model, the worst case and what mattered, and the figure that shows them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean

from orchestrator.naming.own_settings import hashable, sortable
from orchestrator.naming.varying_axes import Axes, in_words, settings_of
from orchestrator.report.figures import Picture, accuracy_curves
from orchestrator.statistics.differences import separation
from orchestrator.store import ResultRow

_WORST, _ANY = "worst_case", "any"
_NEVER_MATTERS = ("seed", "sweep")
_MOST_AXES, _MOST_VALUES = 3, 5


@dataclass(frozen=True)
class Findings:
    """Findings from `rows`: the worst case over all attacks, or where that is not known the most harmful attack, of each model at each
    epsilon, on one data set and in one norm, over training seeds; `clean` rows are those of models that no attack has met."""

    rows: Sequence[ResultRow]
    clean: Sequence[ResultRow]
    ball: str = ""

    @classmethod
    def of(cls, rows: Sequence[ResultRow]) -> "Findings":
        """Choose the data set and the norm of most results, and of each model and epsilon the row that says most.

        Args:
            rows: results over seeds, with worst cases, and with single attacks where a model has no worst case.
        """
        tested = [row for row in rows if row.split == "test"] or list(rows)
        attacked = [row for row in tested if row.robust_accuracy is not None]
        balls = Counter((row.dataset, row.norm) for row in attacked)
        met = {row.model_key for row in attacked}
        clean = [row for row in tested if row.model_key not in met and row.clean_accuracy is not None]
        if not balls:
            return cls((), clean)
        main, _ = balls.most_common(1)[0]
        clean = [row for row in clean if row.dataset == main[0]]
        found: dict[tuple[str, float], ResultRow] = {}
        for row in (row for row in attacked if (row.dataset, row.norm) == main):
            place = (row.model_key, row.epsilon)
            if place not in found or _says(row) > _says(found[place]):
                found[place] = row
        return cls([*found.values()], clean, f"On {main[0]}, norm {main[1]}: " if len(balls) > 1 else "")

    @property
    def sentences(self) -> list[str]:
        """The findings in words; of a sweep without results none."""
        if not self.rows:
            return self._of_clean()
        return [f"{self.ball}{self._best()}", self._at_the_largest(), *self._mattering()]

    @property
    def picture(self) -> Picture | None:
        """Accuracy against epsilon in the worst case, each model as the other figures have it; None without an attack."""
        pictures = accuracy_curves([replace(row, attack=_WORST, knowledge=_ANY) for row in self.rows], among=self.clean).values()
        found = max(pictures, key=lambda picture: len(picture.table), default=None)
        return None if found is None else replace(found, title=f"Accuracy against epsilon, {self._attack}")

    @cached_property
    def _at(self) -> Mapping[float, list[ResultRow]]:
        """The rows at each epsilon at which most models were attacked."""
        found: defaultdict[float, list[ResultRow]] = defaultdict(list)
        for row in self.rows:
            found[row.epsilon].append(row)
        most = max(map(len, found.values()))
        return {epsilon: rows for epsilon, rows in found.items() if len(rows) == most}

    @cached_property
    def _separating(self) -> list[ResultRow]:
        """The rows at the largest epsilon that still separates models."""
        return self._at[max(self._at, key=lambda epsilon: (_apart(self._at[epsilon]), epsilon))]

    @cached_property
    def _axes(self) -> Axes:
        return Axes.of([settings_of(row) for row in (*self.rows, *self.clean)])

    @property
    def _attack(self) -> str:
        return "worst case over all attacks" if all(row.attack == _WORST for row in self.rows) else "most harmful attack"

    def _name(self, row: ResultRow) -> str:
        return self._axes.label(settings_of(row))

    def _best(self) -> str:
        best = max([row for row in self._separating if row.verdict != "unsound"] or self._separating, key=_robust)
        verdict = "it has no verdict" if best.verdict is None else f"its verdict is {best.verdict}"
        robust = _share(best.robust_accuracy, best.ci_low, best.ci_high)
        clean = _share(best.clean_accuracy, best.clean_ci_low, best.clean_ci_high)
        unattacked = "" if best.clean_accuracy is None else f", on {clean} unattacked"
        said = f"{self._name(best)} is right on {robust} of the examples in the {self._attack}{unattacked}"
        return f"Best at {best.epsilon_literal}: {said}; {verdict}."

    @property
    def _largest(self) -> str:
        """The largest epsilon in words: of a sweep that goes on larger ones may have met some models."""
        return "the largest epsilon" if max(self._at) == max(row.epsilon for row in self.rows) else "the largest epsilon for most models"

    def _at_the_largest(self) -> str:
        rows = sorted(self._at[max(self._at)], key=_robust)
        least, most = rows[0], rows[-1]
        said = f"At {least.epsilon_literal}, {self._largest}, the {self._attack} leaves"
        if _robust(least) == _robust(most):
            return f"{said} {100 * _robust(least):.1f} % {f'of {self._name(least)}' if least is most else 'of every model'}."
        apart = "do not meet" if _apart([least, most]) > 1 else "overlap"
        ends = " to ".join(f"{100 * _robust(row):.1f} % ({self._name(row)})" for row in (least, most))
        return f"{said} {ends}; their 95 % intervals {apart}."

    def _mattering(self) -> list[str]:
        rows = self._separating
        effects = [_effect(name, title, rows) for name, title in self._axes.titles.items() if name not in _NEVER_MATTERS]
        known = sorted((effect for effect in effects if effect.points > 0), key=lambda effect: -effect.points)
        if not known:
            return []
        said = ", then ".join(f"{effect}" for effect in known[:_MOST_AXES])
        doubt = "" if _apart(rows) > 1 else "; all intervals overlap, so that it may be chance"
        return [f"What mattered at {rows[0].epsilon_literal}: {said}{doubt}."]

    def _of_clean(self) -> list[str]:
        if not self.clean:
            return []
        best = max(self.clean, key=lambda row: row.clean_accuracy or 0.0)
        share = _share(best.clean_accuracy, best.clean_ci_low, best.clean_ci_high)
        return [f"Best without an attack: {self._name(best)} is right on {share} of the examples. No attack is done yet."]


@dataclass(frozen=True)
class _Effect:
    """Difference, in percent points, between the means of the models of an axis's best and worst value."""

    title: str
    best: str
    worst: str
    points: float

    def __str__(self) -> str:
        return f"{self.title} ({self.best} rather than {self.worst}: {self.points:+.1f} points)"


def _effect(name: str, title: str, rows: Sequence[ResultRow]) -> _Effect:
    """The effect of an axis: of single values, or of ranges of them where they are many."""
    values = [(settings_of(row).get(name), _robust(row)) for row in rows]
    levels: defaultdict[str, list[float]] = defaultdict(list)
    for label, share in _levels(values):
        levels[label].append(share)
    means = {label: fmean(shares) for label, shares in levels.items()}
    best, worst = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    return _Effect(title, best, worst, 100 * (means[best] - means[worst]))


def _levels(values: Sequence[tuple[object, float]]) -> Iterable[tuple[str, float]]:
    distinct = sorted({hashable(value): value for value, _ in values}.values(), key=sortable)
    if len(distinct) <= _MOST_VALUES or not all(isinstance(value, int | float) for value in distinct):
        return [(in_words(value), share) for value, share in values]
    halves = distinct[: len(distinct) // 2], distinct[len(distinct) // 2 :]
    labels = {value: f"{in_words(half[0])} to {in_words(half[-1])}" for half in halves for value in half}
    return [(labels[value], share) for value, share in values]


def _says(row: ResultRow) -> tuple[bool, bool, int, float]:
    """Order of rows by what they say: a worst case most, over all knowledge, over more attacks; of single attacks the most harm."""
    return row.attack == _WORST, row.knowledge == _ANY, row.attacks, -_robust(row)


def _robust(row: ResultRow) -> float:
    return row.robust_accuracy or 0.0


def _apart(rows: Iterable[ResultRow]) -> int:
    return separation((_robust(row), row.ci_low, row.ci_high) for row in rows)


def _share(share: float | None, low: float | None, high: float | None) -> str:
    interval = "" if low is None or high is None else f" ({100 * low:.1f}-{100 * high:.1f})"
    return f"{100 * (share or 0.0):.1f} %{interval}"
