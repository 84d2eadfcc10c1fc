"""The results table: rich on a terminal, or CSV, JSON and Markdown."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Literal, get_args

from rich.table import Table

from orchestrator.report.tables import plain_table
from orchestrator.store import ResultRow

Format = Literal["table", "csv", "json", "markdown"]
FORMATS: tuple[Format, ...] = get_args(Format)
_KEY_DIGITS = 8
_ROOMY_COLUMNS = 8
_INTERNAL = frozenset({"stage"})


@dataclass(frozen=True)
class Column:
    """A column of the human table; one that is `optional` is shown only where its values differ."""

    title: str
    text: Callable[[ResultRow], str]
    optional: bool = False
    numeric: bool = False


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f}"


def _rank(row: ResultRow) -> str:
    return "dense" if row.rank_fraction is None else f"{row.rank_fraction:g}"


# In the tables for people; the full names would leave no room for the figures.
_DEFENCES = {
    "defensive_dropout": "dropout",
    "defensive_quantization": "quantization",
    "feature_squeezing": "squeezing",
    "random_resize_pad": "resize, pad",
    "stochastic_activation_pruning": "pruning",
}


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
    Column("adversarial training", lambda row: row.adversarial_training, optional=True),
    Column("defence", lambda row: _DEFENCES.get(row.defence, row.defence), optional=True),
    Column("seed", lambda row: str(row.seed), optional=True, numeric=True),
)
_MODEL_KEY = Column("model key", lambda row: row.model_key[:_KEY_DIGITS])
_ATTACK_COLUMNS = (
    Column("attack", lambda row: row.attack),
    Column("knowledge", lambda row: row.knowledge),
    Column("epsilon", lambda row: row.epsilon_literal, numeric=True),
    Column("sign gradient", lambda row: row.sign_gradient, optional=True),
    Column("steps", lambda row: str(row.steps), numeric=True),
    Column("clean %", lambda row: _share(row.clean_accuracy), numeric=True),
    Column("robust %", lambda row: _share(row.robust_accuracy), numeric=True),
    Column("95% interval", lambda row: _interval(row.ci_low, row.ci_high), numeric=True),
    Column("repeat", lambda row: "all" if row.repeat is None else str(row.repeat), optional=True, numeric=True),
    Column("repeats", lambda row: str(row.repeats), optional=True, numeric=True),
    Column("examples", lambda row: str(row.n_examples), optional=True, numeric=True),
    Column("examples a draw", lambda row: str(row.batch_size), optional=True, numeric=True),
)


def render_results(rows: Sequence[ResultRow], form: Format) -> str | Table:
    """The rows in the asked format: text, or a rich table for the terminal."""
    match form:
        case "json":
            return json.dumps([record(row) for row in rows], indent=1)
        case "csv":
            return _csv(rows)
        case "markdown":
            return _markdown(rows)
        case "table":
            return _table(rows)


def record(row: ResultRow) -> dict[str, Any]:
    """A row as JSON knows it; accuracies are shares in [0, 1]."""
    return {name: value for name, value in asdict(row).items() if name not in _INTERNAL}


def _csv(rows: Sequence[ResultRow]) -> str:
    text = io.StringIO()
    names = [name for name in ResultRow.__dataclass_fields__ if name not in _INTERNAL]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        rank = "" if row.rank is None else ";".join(f"{layer}={'x'.join(map(str, rank))}" for layer, rank in row.rank.items())
        settings = ";".join(f"{name}={value:g}" for name, value in (row.defence_settings or {}).items())
        writer.writerow({**record(row), "rank": rank, "defence_settings": settings, "job_keys": " ".join(row.job_keys)})
    return text.getvalue().rstrip("\n")


def _markdown(rows: Sequence[ResultRow]) -> str:
    columns = _shown(rows)
    lines = ["| " + " | ".join(column.title for column in columns) + " |"]
    lines.append("|" + "|".join("---:" if column.numeric else "---" for column in columns) + "|")
    lines += ["| " + " | ".join(column.text(row).replace("|", "\\|") for column in columns) + " |" for row in rows]
    return "\n".join([*lines, "", _common(rows)])


def _table(rows: Sequence[ResultRow]) -> Table:
    columns = _shown(rows)
    crowded = len(columns) > _ROOMY_COLUMNS
    table = plain_table(caption=_common(rows), caption_justify="left", padding=0 if crowded else (0, 1))
    for column in columns:
        title = column.title.replace(" ", "\n") if crowded else column.title
        table.add_column(title, justify="right" if column.numeric else "left", no_wrap=True)
    for _, of_model in groupby(rows, key=lambda row: row.model_key):
        for row in of_model:
            table.add_row(*(column.text(row) for column in columns))
        table.add_section()
    return table


def _shown(rows: Sequence[ResultRow]) -> list[Column]:
    """The columns worth their room, with the model's key where they do not tell all models apart."""
    kept = [column for column in _MODEL_COLUMNS if not column.optional or _varies(column, rows)]
    by_name: dict[tuple[str, ...], set[str]] = {}
    for row in rows:
        by_name.setdefault(tuple(column.text(row) for column in kept), set()).add(row.model_key)
    if any(len(keys) > 1 for keys in by_name.values()):
        kept.append(_MODEL_KEY)
    return kept + [column for column in _ATTACK_COLUMNS if not column.optional or _varies(column, rows)]


def _varies(column: Column, rows: Sequence[ResultRow]) -> bool:
    return len({column.text(row) for row in rows}) > 1


def _common(rows: Sequence[ResultRow]) -> str:
    """What holds for all rows, in one line."""
    if not rows:
        return "no results yet"
    same = [column for column in (*_MODEL_COLUMNS, *_ATTACK_COLUMNS) if column.optional and not _varies(column, rows)]
    return "All rows: " + ", ".join(f"{column.title} {column.text(rows[0])}" for column in same) + "."
