"""The columns of the results table for people, one registration each: titles, cells, and when a column is worth its room."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from orchestrator.naming.names import KEY_DIGITS
from orchestrator.naming.own_settings import FIELDS, SECTIONS, held, own_names
from orchestrator.naming.varying_axes import Axes, ModelSettings, in_words, rank_in_words, settings_of
from orchestrator.store import ResultRow
from orchestrator.tables.table import ABSENT, Cell, Column, ColumnKind, shown, shown_each
from workers.registry import METRICS
from workers.spec.fields import CRAFTED

_NO_ATTACKS = ("none", "worst_case")
_PARTS = ("data", "model", "defence")
_FIRST = ("data.", "model.")
_COLUMNED = frozenset({*FIELDS, "sweep", "seed", "until", "training.adversarial_training"}) - {
    "data.train_examples",
    "data.validation_examples",
}
_PLACED = frozenset({"abs_stepsize", "loss", "steps"})
_DECIMALS: dict[int, ColumnKind] = {1: "tenths", 2: "hundredths"}
_FOUND = frozenset({"clean %", "corrupted %", "robust %", "95% interval"})


ExtraColumns = Literal["passes", "spread"]
"""Columns that are shown if asked for: what attacks cost, and standard errors."""


@dataclass(frozen=True)
class ResultColumn:
    """A column of the human table; one that is `optional` is shown only where its values differ, one `where_known` where there are any.
    One that is both yields where the table has to be narrow: it is then shown only where its values differ.

    `heading` is the title with a `~` where it may be hyphenated. What all rows have in common is said above the table, unless it
    is `unsaid`. A cell of None has no value: it neither differs from others nor is it common to all.
    """

    heading: str
    value: Callable[[ResultRow], Cell]
    kind: ColumnKind = "text"
    optional: bool = False
    where_known: bool = False
    align: Literal["left", "right"] | None = None
    unsaid: str | None = None

    @cached_property
    def column(self) -> Column:
        return Column(self.heading.replace("~", ""), self.kind, self.heading, self.align)

    @property
    def title(self) -> str:
        return self.column.name

    def text(self, row: ResultRow) -> str:
        """The cell as people read it."""
        return shown(self.value(row), self.kind)


class ResultColumns:
    """The columns of some rows; each cell is looked at once, whatever is asked of it."""

    def __init__(self, rows: Sequence[ResultRow]) -> None:
        self._rows = rows
        self._cells: dict[int, list[Cell]] = {}
        self._texts: dict[int, list[str]] = {}
        self._values: dict[int, set[str]] = {}
        self._of_models, self._of_attacks = _model_columns(rows), _attack_columns(rows)

    def cells(self, column: ResultColumn) -> list[Cell]:
        """The cells of a column, one a row."""
        if id(column) not in self._cells:
            self._cells[id(column)] = [column.value(row) for row in self._rows]
        return self._cells[id(column)]

    def texts(self, column: ResultColumn) -> list[str]:
        """The cells of a column as people read them."""
        if id(column) not in self._texts:
            self._texts[id(column)] = shown_each(self.cells(column), column.kind)
        return self._texts[id(column)]

    def values(self, column: ResultColumn) -> set[str]:
        """Content of a column, as people read it."""
        if id(column) not in self._values:
            found = {(type(cell), cell) for cell in self.cells(column) if cell is not None}  # few, of many rows
            self._values[id(column)] = {shown(cell, column.kind) for _, cell in found} - {ABSENT}
        return self._values[id(column)]

    def is_shown(self, column: ResultColumn, *, narrow: bool) -> bool:
        """True for a column that is worth its room."""
        if not (column.optional or column.where_known):
            return True
        if column.where_known and not (column.optional and narrow):
            return bool(self.values(column))
        return len(self.values(column)) > 1

    def shown(self, *, narrow: bool = False, extra: Sequence[ExtraColumns] = ()) -> list[ResultColumn]:
        """The columns worth their room, with the model's key where they do not identify every model, and those asked for by `extra`."""
        attack_columns = (*self._of_attacks, *(column for name in extra for column in _EXTRA_COLUMNS[name]), *_COUNT_COLUMNS)
        return self._naming(narrow=narrow) + [column for column in attack_columns if self.is_shown(column, narrow=narrow)]

    def _naming(self, *, narrow: bool) -> list[ResultColumn]:
        """Those of the shown columns that say which model a row is of."""
        kept = [column for column in self._of_models if self.is_shown(column, narrow=narrow)]
        models = [row.model_key for row in self._rows]
        names = zip(*map(self.texts, kept), strict=True)
        pairs = set(zip(names, models, strict=True))
        return kept if len({name for name, _ in pairs}) == len(pairs) else [*kept, _MODEL_KEY]

    def common(self, *, narrow: bool = False) -> list[str]:
        """Return the values that all rows that have one share, as `title value`."""
        columns = (*self._of_models, *self._of_attacks, *_COUNT_COLUMNS)
        hidden = [column for column in columns if not self.is_shown(column, narrow=narrow)]
        return [f"{column.title} {value}" for column in hidden for value in self.values(column) if value != column.unsaid]

    def measured_with(self) -> list[list[str]]:
        """Everything that each row was measured with, as `title value`; what it came to is left out."""
        columns = (*self._of_models, _MODEL_KEY, *self._of_attacks, *_COUNT_COLUMNS)
        said: list[list[str]] = [[] for _ in self._rows]
        for column in (column for column in columns if column.title not in _FOUND):
            titled = {text: f"{column.title} {text}" for text in set(self.texts(column)) - {ABSENT, column.unsaid}}
            for of_row, text in zip(said if titled else (), self.texts(column) if titled else (), strict=True):
                if text in titled:
                    of_row.append(titled[text])
        return said


def shown_columns(rows: Sequence[ResultRow]) -> list[ResultColumn]:
    """The columns worth their room, with the model's key where they do not identify every model."""
    return ResultColumns(rows).shown()


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _interval(row: ResultRow) -> str | None:
    return None if row.ci_low is None or row.ci_high is None else f"{100 * row.ci_low:.1f}-{100 * row.ci_high:.1f}"


def _stopped(row: ResultRow) -> str | None:
    return None if row.asked_examples is None else f"{row.n_examples:,} of {row.asked_examples:,}"


def _rank(row: ResultRow) -> float | str:
    if row.rank_fraction is None or row.rank_fractions:
        return rank_in_words(row.rank_fraction, row.rank_fractions)
    return row.rank_fraction


# In the tables for people; the full names would leave no room for the figures.
_DEFENCES = {
    "defensive_dropout": "dropout",
    "defensive_quantization": "quantized",
    "feature_squeezing": "squeezing",
    "random_resize_pad": "resizing",
    "stochastic_activation_pruning": "pruning",
}


def _setting(
    heading: str,
    value: Callable[[ResultRow], Cell],
    kind: ColumnKind = "text",
    *,
    of: Callable[[ResultRow], bool] = lambda _: True,
    unsaid: str | None = None,
) -> ResultColumn:
    """A setting of the attack, without value where there is no attack, or are several, or the attack is not one `of` those that have it."""

    def cell(row: ResultRow) -> Cell:
        return value(row) if row.attack not in _NO_ATTACKS and of(row) else None

    return ResultColumn(heading, cell, kind, optional=True, unsaid=unsaid)


def _shared(name: str) -> Callable[[ResultRow], Cell]:
    """Return the reader of an attribute that the attacks of a row have in common; it gives None where there is no attack."""
    return lambda row: None if row.attack == "none" else getattr(row, name)


def _meets_draws(row: ResultRow) -> bool:
    return row.randomised and row.knowledge not in CRAFTED


def _can_leave(row: ResultRow) -> bool:
    """Return whether an example could leave early: there are steps to save, and nothing is random where it is made."""
    return (not row.one_step or row.restarts > 1) and (row.knowledge == "transfer" or not row.randomised)


def _selects(row: ResultRow) -> bool:
    return row.selects is not False or row.restarts > 1 or row.target == "least_likely"


def _own(name: str, heading: str, *, unsaid: str | None = None) -> ResultColumn:
    """An own setting of an attack."""
    return ResultColumn(heading, lambda row: _cell(row.attack_settings.get(name)), "number", optional=True, unsaid=unsaid)


def _cell(found: Any) -> Cell:
    if isinstance(found, float):
        return float(f"{found:.4g}")
    return found if found is None or isinstance(found, bool | int | str) else in_words(found)


def _of_model(name: str, heading: str, settings: Mapping[tuple[str, str], ModelSettings]) -> ResultColumn:
    """A setting of models, by its name in a space; blank where a model has none, which is not the same as `none`."""

    def value(row: ResultRow) -> Cell:
        found = settings[row.sweep, row.model_key]
        return _cell("none" if found[name] is None else found[name]) if name in found else None

    return ResultColumn(heading, value, "number", optional=True)


def _metric(name: str) -> ResultColumn:
    found = METRICS.find(name)
    heading, decimals = (name, 2) if found is None else (found.facts.heading or name, found.facts.decimals)
    return ResultColumn(heading, lambda row: row.metrics.get(name), _DECIMALS.get(decimals, "number"), where_known=True)


def _model_columns(rows: Sequence[ResultRow]) -> tuple[ResultColumn, ...]:
    """The columns of models, with a column for each own setting of their components, and for each other setting that differs."""
    models = {(row.sweep, row.model_key): row for row in rows}
    settings = {key: settings_of(row) for key, row in models.items()}
    axes = Axes.of(settings.values())
    own = {f"{part}.{name}" for row in models.values() for part in _PARTS for name in held(row, SECTIONS[part][0])}
    own |= {name for model in settings.values() for name in axes.notable(model)}
    titles = {**{name: title for name, title in axes.constant.items() if name in own}, **axes.titles}
    columns = {name: _of_model(name, title, settings) for name, title in titles.items() if name not in _COLUMNED}
    first = [column for name, column in columns.items() if name.startswith(_FIRST)]
    return (*_NETWORK_COLUMNS, *first, *_MODEL_COLUMNS, *(column for column in columns.values() if column not in first), *_LAST_COLUMNS)


def _attack_columns(rows: Sequence[ResultRow]) -> tuple[ResultColumn, ...]:
    """The columns of attacks, with a column for each setting of theirs, and for each metric."""
    names = [name.removeprefix("attacks.") for name in own_names(rows, ("attacks",))]
    return (
        *_WHICH_COLUMNS,
        *(_own(name, name.replace("_", " "), unsaid="1" if name == "momentum" else None) for name in names if name not in _PLACED),
        *_BALL_COLUMNS,
        *map(_metric, own_names(rows, ("metrics",))),
        *_ATTACK_COLUMNS,
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


_NETWORK_COLUMNS = (
    ResultColumn("sweep", lambda row: row.sweep, optional=True),
    ResultColumn("dataset", lambda row: row.dataset, optional=True),
    ResultColumn("model", lambda row: row.model, optional=True),
)
_MODEL_COLUMNS = (
    ResultColumn("rank", _rank, "number", optional=True),
    ResultColumn("rank kind", lambda row: row.rank_kind if row.tensorized else None, optional=True),
    ResultColumn("theta", lambda row: row.theta, "number"),
    ResultColumn("sketch modes", lambda row: row.sketch_modes if row.theta < 1 else None, optional=True),
    ResultColumn("rescale", lambda row: row.rescale if row.theta < 1 else None, optional=True),
    ResultColumn("binary", lambda row: row.binary, optional=True),
    ResultColumn("defence", lambda row: _DEFENCES.get(row.defence, row.defence), optional=True),
    ResultColumn("adver~sarial training", lambda row: row.adversarial_training, optional=True),
)
_LAST_COLUMNS = (
    ResultColumn("seed", lambda row: row.seed, "number", optional=True),
    ResultColumn("until epoch", lambda row: None if row.until is None else f"{row.until} of {row.epochs}", where_known=True, align="right"),
)
_MODEL_KEY = ResultColumn("model key", lambda row: row.model_key[:KEY_DIGITS])
_WHICH_COLUMNS = (
    ResultColumn("attack", lambda row: row.attack.replace("_case", " case")),
    ResultColumn("attacks", lambda row: row.attacks if row.attack == "worst_case" else None, "number", where_known=True),
    ResultColumn("knowledge", _shared("knowledge"), optional=True),
    _setting("source", lambda row: row.source, of=lambda row: row.knowledge == "transfer"),
    _setting("loss", lambda row: row.attack_settings.get("loss"), unsaid="ce"),
)
_BALL_COLUMNS = (
    _setting("target", lambda row: row.target, unsaid="none"),
    ResultColumn("norm", _shared("norm"), optional=True, unsaid="linf"),
    ResultColumn("epsilon", lambda row: row.epsilon_literal, align="right"),
)
_ATTACK_COLUMNS = (
    _setting("sign gradient", lambda row: row.sign_gradient, of=lambda row: row.binary and row.takes_gradients is not False),
    ResultColumn("steps", lambda row: row.attack_settings.get("steps"), "number", where_known=True),
    _own("abs_stepsize", "step size", unsaid="0.003922"),
    _setting("restarts", lambda row: row.restarts, "number", of=lambda row: row.random_start is not False or row.restarts > 1, unsaid="1"),
    _setting("eot samples", lambda row: row.eot_samples, "number", of=lambda row: _meets_draws(row) and row.knowledge == "eot"),
    _setting("selec~tion draws", lambda row: row.selection_draws, "number", of=lambda row: _meets_draws(row) and _selects(row)),
    _setting("early stop", lambda row: row.early_stop, of=_can_leave, unsaid="false"),
    _setting("backend", lambda row: row.backend, unsaid="native"),
    ResultColumn("clean %", lambda row: _percent(row.clean_accuracy), "tenths"),
    ResultColumn("corrup~ted %", lambda row: _percent(row.corruption_accuracy), "tenths", where_known=True),
    ResultColumn("robust %", lambda row: _percent(row.robust_accuracy), "tenths"),
    ResultColumn("95% interval", _interval, align="right"),
    ResultColumn("verdict", lambda row: row.verdict, optional=True, where_known=True),
)
# Standard errors in percent points.
_SPREAD_COLUMNS = (
    ResultColumn("± examples", lambda row: _percent(row.se_examples), "hundredths", where_known=True),
    ResultColumn("± draws", lambda row: _percent(row.se_draws), "hundredths", where_known=True),
    ResultColumn("± seeds", lambda row: _percent(row.se_seeds), "hundredths", where_known=True),
)
# In examples, means over repeats.
_PASS_COLUMNS = (
    ResultColumn("forward passes", lambda row: _whole(row.forward_passes), "number", where_known=True),
    ResultColumn("backward passes", lambda row: _whole(row.backward_passes), "number", where_known=True),
    ResultColumn("queries", lambda row: _whole(row.queries), "number", where_known=True),
)
_EXTRA_COLUMNS: dict[ExtraColumns, tuple[ResultColumn, ...]] = {"spread": _SPREAD_COLUMNS, "passes": _PASS_COLUMNS}
_COUNT_COLUMNS = (
    ResultColumn("split", lambda row: row.split, optional=True, unsaid="test"),
    ResultColumn("repeat", lambda row: "all" if row.repeat is None else row.repeat, "number", optional=True),
    ResultColumn("seeds", lambda row: None if row.seed is not None else row.seeds, "number", optional=True),
    ResultColumn("repeats", lambda row: row.repeats, "number", optional=True),
    ResultColumn("draws", lambda row: row.draws if row.randomised else None, "number", optional=True, unsaid="1"),
    ResultColumn("examples", lambda row: row.asked_examples or row.n_examples, "number", optional=True),
    ResultColumn("stopped at", _stopped, where_known=True, align="right"),
    ResultColumn("order", lambda row: row.example_order, optional=True, unsaid="balanced"),
    ResultColumn("examples a draw", lambda row: row.evaluation_batch_size, "number", optional=True),
)
