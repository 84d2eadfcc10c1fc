"""Looks of models in figures: the first axis in which they differ by colour (and where it is the only one by dash and
symbol too, which is what is left in grey), the second by dash or symbol, all else by a further symbol."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.naming.names import Model, told_apart
from orchestrator.naming.own_settings import hashable, sortable
from orchestrator.naming.varying_axes import Axes, ModelSettings, in_words
from orchestrator.report.figures.picture import Record
from orchestrator.report.figures.theme import DASHES, PALETTE, SYMBOLS, ordered_colours

_FIRST, _LAST = "model.theta", ("seed", "attacks.source")
_NONE = PALETTE[-1]
_MOST_COLOURS = 6


@dataclass(frozen=True, kw_only=True)
class Look:
    """Look of a model, and its name: what varies. `group` is what all of its colour have in common, `cells` the values of the axes, by
    their titles; `symbol` is for points on a line of that `dash`, `marker` for a point alone."""

    name: str
    group: str
    cells: Record
    colour: str
    dash: str
    symbol: str
    marker: str


def line_style(look: Look) -> dict[str, Any]:
    """Return how the line of a model that is named is drawn."""
    return {"line": {"color": look.colour, "dash": look.dash, "width": 2}, "marker": {"symbol": look.symbol, "size": 7}}


def line_to_the_fore(look: Look) -> dict[str, Any]:
    """Return what sets a line apart from others that are named: wider, with larger marks."""
    style = line_style(look)
    return {"mode": "lines+markers", "line": {**style["line"], "width": 4}, "marker": {**style["marker"], "size": 9, "color": look.colour}}


def point_to_the_fore(look: Look) -> dict[str, Any]:
    """Return what sets a point apart from others that are named: larger, with a rim."""
    rim = {"width": 2, "color": PALETTE[-1]}
    return {"opacity": 1, "marker": {"color": look.colour, "symbol": look.marker, "size": 14, "line": rim}}


def looks(models: Mapping[Model, ModelSettings], names: Mapping[Model, str] | None = None) -> dict[Model, Look]:
    """Return the look of each of these models, which are named by what varies among them where they have no other `names`."""
    axes = Axes.of(models.values())
    scales = sorted((_Scale(name, title, list(models.values())) for name, title in axes.titles.items()), key=lambda scale: scale.rank)
    labels = names or told_apart({key: axes.label(model) for key, model in models.items()})
    further = [tuple(scale.place(model) for scale in scales[2:]) for model in models.values()]
    known = sorted(set(further))
    found = {}
    for (key, model), others in zip(models.items(), further, strict=True):
        hue, second = ([scale.place(model) for scale in scales[:2]] + [0, 0])[:2]
        other = known.index(others)
        found[key] = Look(
            name=labels[key],
            group=scales[0].group(model) if scales else labels[key],
            cells={title: _cell(model.get(name)) for name, title in axes.titles.items()},
            colour=scales[0].colour(model) if scales else PALETTE[0],
            dash=DASHES[(second if len(scales) > 1 else hue) % len(DASHES)],
            symbol=SYMBOLS[(other if len(known) > 1 else hue) % len(SYMBOLS)],
            marker=SYMBOLS[(second if len(scales) > 1 else hue) % len(SYMBOLS)] + ("-open" if other % 2 else ""),
        )
    return found


def _cell(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | None) else in_words(value)


class _Scale:
    """The values of one axis in order, each with a place; numbers have ordered colours, and neighbours share one where they are many."""

    def __init__(self, name: str, title: str, models: Sequence[ModelSettings]) -> None:
        self._name, self._title = name, title
        values = {hashable(model[name]): model[name] for model in models if name in model}
        self._values = sorted(values.values(), key=sortable)
        self._place: dict[Hashable, int] = {hashable(value): place for place, value in enumerate(self._values)}
        self._is_ordered = all(isinstance(value, int | float) and not isinstance(value, bool) for value in self._values)

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """Sort key of axes by how much they are to be seen: theta first, then those of most values, seeds last."""
        return self._name in _LAST, self._name != _FIRST, -len(self._values)

    def place(self, model: ModelSettings) -> int:
        """Return the value's place; that of a model without the setting is after all others."""
        return self._place[hashable(model[self._name])] if self._name in model else len(self._values)

    def colour(self, model: ModelSettings) -> str:
        if self._name not in model:
            return _NONE
        if self._is_ordered or self._parts > _MOST_COLOURS:
            return ordered_colours(self._parts)[self._part(model)]
        return PALETTE[self._part(model)]

    def group(self, model: ModelSettings) -> str:
        """Return what models of one colour have in common: `learning_rate 0.1`, `learning_rate 0.01 to 0.03`."""
        if self._name not in model:
            return f"no {self._title}"
        ends = [value for value in self._values if self._part({self._name: value}) == self._part(model)]
        return f"{self._title} {' to '.join(dict.fromkeys(map(in_words, (ends[0], ends[-1]))))}"

    @property
    def _parts(self) -> int:
        return min(len(self._values), _MOST_COLOURS) if self._is_ordered else len(self._values)

    def _part(self, model: ModelSettings) -> int:
        return self.place(model) * self._parts // len(self._values)
