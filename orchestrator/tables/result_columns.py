"""The columns of the results table for people: their titles, their cells, and when a column is worth its room."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from orchestrator.store import ResultRow
from orchestrator.store.reading.model_description import rank_in_words
from workers.spec.attack import KINDS, AttackKind, selects
from workers.spec.defence import is_randomised
from workers.spec.fields import CRAFTED, AttackName, DefenceName, TargetName

_KEY_DIGITS = 8
_ABSENT = "-"
_HYPHEN = "~"
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
    attack_columns = (*_ATTACK_COLUMNS, *(_SPREAD_COLUMNS if spread else ()), *_COUNT_COLUMNS)
    return model_columns(rows, narrow=narrow) + [column for column in attack_columns if column.is_shown(rows, narrow=narrow)]


def model_columns(rows: Sequence[ResultRow], *, narrow: bool = False) -> list[Column]:
    """Those of the shown columns that say which model a row is of."""
    kept = [column for column in _MODEL_COLUMNS if column.is_shown(rows, narrow=narrow)]
    by_name: dict[tuple[str, ...], set[str]] = {}
    for row in rows:
        by_name.setdefault(tuple(column.text(row) for column in kept), set()).add(row.model_key)
    if any(len(keys) > 1 for keys in by_name.values()):
        kept.append(_MODEL_KEY)
    return kept


def cells(row: ResultRow) -> list[str]:
    """Everything that the row was measured with, as `title value`; what it came to is left out."""
    columns = (*_MODEL_COLUMNS, _MODEL_KEY, *_ATTACK_COLUMNS, *_COUNT_COLUMNS)
    found = [(column, column.text(row)) for column in columns if column.title not in _FOUND]
    return [f"{column.title} {value}" for column, value in found if value not in (_ABSENT, column.unsaid)]


def common_values(rows: Sequence[ResultRow], *, narrow: bool = False) -> list[str]:
    """What all rows that have it share, as `title value`."""
    columns = (*_MODEL_COLUMNS, *_ATTACK_COLUMNS, *_COUNT_COLUMNS)
    hidden = [column for column in columns if not column.is_shown(rows, narrow=narrow)]
    return [f"{column.title} {value}" for column in hidden for value in column.values(rows) if value != column.unsaid]


def _share(value: float | None) -> str:
    return _ABSENT if value is None else f"{100 * value:.1f}"


def _error(value: float | None) -> str:
    return _ABSENT if value is None else f"{100 * value:.2f}"


def _interval(row: ResultRow) -> str:
    return _ABSENT if row.ci_low is None or row.ci_high is None else f"{100 * row.ci_low:.1f}-{100 * row.ci_high:.1f}"


def _rank(row: ResultRow) -> str:
    return rank_in_words(row.rank_fraction, row.stage_rank_fractions)


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
        return str(text(row)) if row.attack in KINDS and of(row) else _ABSENT

    return Column(heading, cell, optional=True, numeric=numeric, unsaid=unsaid)


def _shared(name: str) -> Callable[[ResultRow], str]:
    """What the attacks of a row have in common, without value where there is none."""
    return lambda row: _ABSENT if row.attack == "none" else str(getattr(row, name))


def _kind(row: ResultRow) -> AttackKind:
    return KINDS[cast("AttackName", row.attack)]


def _is_random(row: ResultRow) -> bool:
    return is_randomised(row.theta, cast("DefenceName", row.defence))


def _meets_draws(row: ResultRow) -> bool:
    return _is_random(row) and row.knowledge not in CRAFTED


def _can_leave(row: ResultRow) -> bool:
    """Whether an example could leave early: there are steps to save, and nothing is random where it is made."""
    return (_kind(row).steps or row.restarts > 1) and (row.knowledge == "transfer" or not _is_random(row))


def _selects(row: ResultRow) -> bool:
    return selects(cast("AttackName", row.attack), target=cast("TargetName", row.target), restarts=row.restarts)


_MODEL_COLUMNS = (
    Column("sweep", lambda row: row.sweep, optional=True),
    Column("dataset", lambda row: row.dataset, optional=True),
    Column("model", lambda row: row.model, optional=True),
    Column("width", lambda row: str(row.width), optional=True, numeric=True),
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
_ATTACK_COLUMNS = (
    Column("attack", lambda row: row.attack.replace("_case", " case")),
    Column("attacks", lambda row: str(row.attacks) if row.attack == "worst_case" else _ABSENT, where_known=True, numeric=True),
    Column("knowledge", _shared("knowledge"), optional=True),
    _setting("source", lambda row: row.source, of=lambda row: row.knowledge == "transfer"),
    _setting("loss", lambda row: row.loss, of=lambda row: _kind(row).loss is None, unsaid="ce"),
    _setting("momen~tum", lambda row: f"{row.momentum:g}", of=lambda row: row.attack == "mi_fgsm", numeric=True, unsaid="1"),
    _setting("target", lambda row: row.target, unsaid="none"),
    Column("norm", _shared("norm"), optional=True, unsaid="linf"),
    Column("epsilon", lambda row: row.epsilon_literal, numeric=True),
    Column("SNR dB", lambda row: _ABSENT if row.snr_db is None else f"{row.snr_db:.1f}", where_known=True, numeric=True),
    _setting("sign gradient", lambda row: row.sign_gradient, of=lambda row: row.binary and _kind(row).gradient),
    Column("steps", lambda row: str(row.steps) if row.attack in KINDS else _ABSENT, where_known=True, numeric=True),
    _setting(
        "step size", lambda row: f"{row.abs_stepsize:.4g}", of=lambda row: _kind(row).stepsize is None, numeric=True, unsaid="0.003922"
    ),
    _setting("restarts", lambda row: row.restarts, of=lambda row: _kind(row).random_start, numeric=True, unsaid="1"),
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
    Column("draws", lambda row: str(row.draws) if _is_random(row) else _ABSENT, optional=True, numeric=True, unsaid="1"),
    Column("examples", lambda row: str(row.n_examples), optional=True, numeric=True),
    Column("examples a draw", lambda row: str(row.batch_size), optional=True, numeric=True),
)
