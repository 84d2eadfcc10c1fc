"""The columns of the results table for people: their titles, their cells, and when a column is worth its room."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from orchestrator.store import ResultRow
from orchestrator.store.reading.model_description import rank_in_words
from orchestrator.store.reading.own_settings import own_names, value_of, varying_names
from workers.registry import METRICS
from workers.spec.fields import CRAFTED

_KEY_DIGITS = 8
_ABSENT = "-"
_HYPHEN = "~"
_NO_ATTACKS = ("none", "worst_case")
_PLACED = frozenset({"abs_stepsize", "loss", "steps"})
_FOUND = frozenset({"clean %", "robust %", "95% interval"})


@dataclass(frozen=True)
class Column:
    """A column of the human table; one that is `optional` is shown only where its values differ, one `where_known` where there are any.
    One that is both yields where the table has to be narrow: it is then shown only where its values differ.

    `heading` is the title with a `~` where it may be hyphenated. What all rows have in common is said below the table, unless it
    is `unsaid`. A cell `-` has no value: it neither differs from others nor is it common to all.
    """

    heading: str
    text: Callable[[ResultRow], str]
    optional: bool = False
    where_known: bool = False
    numeric: bool = False
    unsaid: str | None = None

    @cached_property
    def title(self) -> str:
        return self.heading.replace(_HYPHEN, "")

    @property
    def narrow_title(self) -> str:
        """The title over as many lines as it can be broken into."""
        return self.heading.replace(_HYPHEN, "-\n").replace(" ", "\n")

    def values(self, rows: Sequence[ResultRow]) -> set[str]:
        return {self.text(row) for row in rows} - {_ABSENT}

    def is_shown(self, rows: Sequence[ResultRow], *, narrow: bool) -> bool:
        if self.where_known and not (self.optional and narrow):
            return bool(self.values(rows))
        return not self.optional or len(self.values(rows)) > 1


def shown_columns(rows: Sequence[ResultRow], *, narrow: bool = False, spread: bool = False) -> list[Column]:
    """The columns worth their room, with the model's key where they do not tell all models apart, and standard errors if asked for."""
    attack_columns = (*_attack_columns(rows), *(_SPREAD_COLUMNS if spread else ()), *_COUNT_COLUMNS)
    return model_columns(rows, narrow=narrow) + [column for column in attack_columns if column.is_shown(rows, narrow=narrow)]


def model_columns(rows: Sequence[ResultRow], *, narrow: bool = False) -> list[Column]:
    """Those of the shown columns that say which model a row is of."""
    kept = [column for column in _model_columns(rows) if column.is_shown(rows, narrow=narrow)]
    by_name: dict[tuple[str, ...], set[str]] = {}
    for row in rows:
        by_name.setdefault(tuple(column.text(row) for column in kept), set()).add(row.model_key)
    if any(len(keys) > 1 for keys in by_name.values()):
        kept.append(_MODEL_KEY)
    return kept


def cells(row: ResultRow) -> list[str]:
    """Everything that the row was measured with, as `title value`; what it came to is left out."""
    columns = (*_model_columns([row]), _MODEL_KEY, *_attack_columns([row]), *_COUNT_COLUMNS)
    found = [(column, column.text(row)) for column in columns if column.title not in _FOUND]
    return [f"{column.title} {value}" for column, value in found if value not in (_ABSENT, column.unsaid)]


def common_values(rows: Sequence[ResultRow], *, narrow: bool = False) -> list[str]:
    """What all rows that have it share, as `title value`."""
    columns = (*_model_columns(rows), *_attack_columns(rows), *_COUNT_COLUMNS)
    hidden = [column for column in columns if not column.is_shown(rows, narrow=narrow)]
    return [f"{column.title} {value}" for column in hidden for value in column.values(rows) if value != column.unsaid]


def _share(value: float | None) -> str:
    return _ABSENT if value is None else f"{100 * value:.1f}"


def _error(value: float | None) -> str:
    return _ABSENT if value is None else f"{100 * value:.2f}"


def _interval(row: ResultRow) -> str:
    return _ABSENT if row.ci_low is None or row.ci_high is None else f"{100 * row.ci_low:.1f}-{100 * row.ci_high:.1f}"


def _rank(row: ResultRow) -> str:
    return rank_in_words(row.rank_fraction, row.rank_fractions)


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
    text: Callable[[ResultRow], object],
    *,
    of: Callable[[ResultRow], bool] = lambda _: True,
    numeric: bool = False,
    unsaid: str | None = None,
) -> Column:
    """A setting of the attack, without value where there is no attack, or are several, or the attack is not one `of` those that have it."""

    def cell(row: ResultRow) -> str:
        return str(text(row)) if row.attack not in _NO_ATTACKS and of(row) else _ABSENT

    return Column(heading, cell, optional=True, numeric=numeric, unsaid=unsaid)


def _shared(name: str) -> Callable[[ResultRow], str]:
    """What the attacks of a row have in common, without value where there is none."""
    return lambda row: _ABSENT if row.attack == "none" else str(getattr(row, name))


def _meets_draws(row: ResultRow) -> bool:
    return row.randomised and row.knowledge not in CRAFTED


def _can_leave(row: ResultRow) -> bool:
    """Tell if an example could leave early: there are steps to save, and nothing is random where it is made."""
    return (not row.one_step or row.restarts > 1) and (row.knowledge == "transfer" or not row.randomised)


def _selects(row: ResultRow) -> bool:
    return row.selects is not False or row.restarts > 1 or row.target == "least_likely"


def _own(name: str, heading: str | None = None, *, unsaid: str | None = None) -> Column:
    """An own setting of a component."""

    def text(row: ResultRow) -> str:
        value = value_of(row, name)
        return _ABSENT if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)

    return Column(heading or name.replace("_", " "), text, optional=True, numeric=True, unsaid=unsaid)


def _metric(name: str) -> Column:
    found = METRICS.find(name)
    heading, decimals = (name, 2) if found is None else (found.facts.heading, found.facts.decimals)

    def text(row: ResultRow) -> str:
        value = row.metrics.get(name)
        return _ABSENT if value is None else f"{value:.{decimals}f}"

    return Column(heading, text, where_known=True, numeric=True)


def _model_columns(rows: Sequence[ResultRow]) -> tuple[Column, ...]:
    """The columns of models, with a column for each setting of their components, and for each other one that differs."""
    names = (*own_names(rows, ("model", "data", "defence")), *varying_names(rows))
    return (*_NETWORK_COLUMNS, *map(_own, names), *_MODEL_COLUMNS)


def _attack_columns(rows: Sequence[ResultRow]) -> tuple[Column, ...]:
    """The columns of attacks, with a column for each setting of theirs, and for each metric."""
    names = [name for name in own_names(rows, ("attacks",)) if name not in _PLACED]
    return (
        *_WHICH_COLUMNS,
        *(_own(name, unsaid="1" if name == "momentum" else None) for name in names),
        *_BALL_COLUMNS,
        *map(_metric, own_names(rows, ("metrics",))),
        *_ATTACK_COLUMNS,
    )


_NETWORK_COLUMNS = (
    Column("sweep", lambda row: row.sweep, optional=True),
    Column("dataset", lambda row: row.dataset, optional=True),
    Column("model", lambda row: row.model, optional=True),
)
_MODEL_COLUMNS = (
    Column("rank", _rank, optional=True, numeric=True),
    Column("rank kind", lambda row: row.rank_kind, optional=True),
    Column("theta", lambda row: f"{row.theta:g}", numeric=True),
    Column("sketch modes", lambda row: row.sketch_modes, optional=True),
    Column("rescale", lambda row: str(row.rescale).lower(), optional=True),
    Column("binary", lambda row: str(row.binary).lower(), optional=True),
    Column("defence", lambda row: _DEFENCES.get(row.defence, row.defence), optional=True),
    Column("adver~sarial training", lambda row: row.adversarial_training, optional=True),
    Column("seed", lambda row: _ABSENT if row.seed is None else str(row.seed), optional=True, numeric=True),
    Column("until epoch", lambda row: _ABSENT if row.until is None else f"{row.until} of {row.epochs}", where_known=True, numeric=True),
)
_MODEL_KEY = Column("model key", lambda row: row.model_key[:_KEY_DIGITS])
_WHICH_COLUMNS = (
    Column("attack", lambda row: row.attack.replace("_case", " case")),
    Column("attacks", lambda row: str(row.attacks) if row.attack == "worst_case" else _ABSENT, where_known=True, numeric=True),
    Column("knowledge", _shared("knowledge"), optional=True),
    _setting("source", lambda row: row.source, of=lambda row: row.knowledge == "transfer"),
    _setting("loss", lambda row: row.loss, of=lambda row: "loss" in row.attack_settings, unsaid="ce"),
)
_BALL_COLUMNS = (
    _setting("target", lambda row: row.target, unsaid="none"),
    Column("norm", _shared("norm"), optional=True, unsaid="linf"),
    Column("epsilon", lambda row: row.epsilon_literal, numeric=True),
)
_ATTACK_COLUMNS = (
    _setting("sign gradient", lambda row: row.sign_gradient, of=lambda row: row.binary and row.takes_gradients is not False),
    Column("steps", lambda row: str(row.attack_settings.get("steps", _ABSENT)), where_known=True, numeric=True),
    _own("abs_stepsize", "step size", unsaid="0.003922"),
    _setting("restarts", lambda row: row.restarts, of=lambda row: row.random_start is not False, numeric=True, unsaid="1"),
    _setting("eot samples", lambda row: row.eot_samples, of=lambda row: _meets_draws(row) and row.knowledge == "eot", numeric=True),
    _setting("selec~tion draws", lambda row: row.selection_draws, of=lambda row: _meets_draws(row) and _selects(row), numeric=True),
    _setting("early stop", lambda row: str(row.early_stop).lower(), of=_can_leave, unsaid="false"),
    _setting("backend", lambda row: row.backend, unsaid="native"),
    Column("clean %", lambda row: _share(row.clean_accuracy), numeric=True),
    Column("robust %", lambda row: _share(row.robust_accuracy), numeric=True),
    Column("95% interval", _interval, numeric=True),
    Column("verdict", lambda row: row.verdict or _ABSENT, optional=True, where_known=True),
)
# Standard errors in percent points.
_SPREAD_COLUMNS = (
    Column("± examples", lambda row: _error(row.se_examples), where_known=True, numeric=True),
    Column("± draws", lambda row: _error(row.se_draws), where_known=True, numeric=True),
    Column("± seeds", lambda row: _error(row.se_seeds), where_known=True, numeric=True),
)
_COUNT_COLUMNS = (
    Column("repeat", lambda row: "all" if row.repeat is None else str(row.repeat), optional=True, numeric=True),
    Column("seeds", lambda row: _ABSENT if row.seed is not None else str(row.seeds), optional=True, numeric=True),
    Column("repeats", lambda row: str(row.repeats), optional=True, numeric=True),
    Column("draws", lambda row: str(row.draws) if row.randomised else _ABSENT, optional=True, numeric=True, unsaid="1"),
    Column("examples", lambda row: str(row.n_examples), optional=True, numeric=True),
    Column("examples a draw", lambda row: str(row.batch_size), optional=True, numeric=True),
)
