"""Settings in SQL by their names in a space: `training.learning_rate`, or `learning_rate` where no other setting of the views is called so.

Views have columns of plain names, `training_learning_rate`. A name in a query that is no column of what the query reads is taken for a
setting, and its place in the text for that of the column; whatever else there is in the text stays as it is.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, column, inspect, select, table

from orchestrator.naming.own_settings import FIELDS, SECTIONS
from orchestrator.store.schema.views import VIEWS, setting_columns
from workers.errors import UserError

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

_EXPLAIN = re.compile(r"\s*explain\s+(?:query\s+plan\s+|\([^()']*\)|(?:(?:analyze|verbose)\s+)*)", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_TUNED, _TRAINED = "fine_tuning", "training"
_SHORT = {"rank": "model.rank_fraction"}
_AS_IT_IS = ""
_FOREIGN = ("attacks", "data", "defence", "metrics", "model")
Replacement = tuple[int, int, str]
"""From where to where in the text, and what is written there."""


def with_columns(statement: str, connection: Connection) -> str:
    """Return the statement with the views' columns in place of settings by their names in a space.

    Raises:
        UserError: several settings are called so.
    """
    if not _may_name_settings(statement):
        return statement
    dialect = connection.dialect.name
    explained = _EXPLAIN.match(statement)
    start = explained.end() if explained else 0
    parsed = _parsed(statement[start:], "postgres" if dialect == "postgresql" else dialect)
    if parsed is None:
        return statement  # the database says what is wrong
    found = _Names(connection).replacements(parsed)
    for begin, end, text in sorted(found, reverse=True):
        statement = statement[: start + begin] + text + statement[start + end :]
    return statement


def _may_name_settings(statement: str) -> bool:
    """Tell if a word of the statement could be a setting; parsing takes its time."""
    words = {word.lower() for word in _WORD.findall(statement)}
    return any(section in words for section in (*SECTIONS, "attack", "evaluation")) or not words.isdisjoint(_bare_names())


def _bare_names() -> set[str]:
    names = {name.rpartition(".")[2] for view in VIEWS for name in setting_columns(view)}
    return {name.lower() for name in names} | set(_SHORT)


def _parsed(query: str, dialect: str) -> "exp.Expr | None":
    from sqlglot import parse
    from sqlglot.errors import SqlglotError

    try:
        statements = [found for found in parse(query, dialect=dialect) if found is not None]
    except (SqlglotError, RecursionError):
        return None
    return statements[0] if len(statements) == 1 else None


def _tunes_apart(connection: Connection, name: str) -> bool:
    """Tell if some model was fine-tuned with another value of a setting than it was trained with."""
    trained: ColumnElement[Any] = column(f"{_TRAINED}_{name}")
    tuned: ColumnElement[Any] = column(f"{_TUNED}_{name}")
    asked = select(1).select_from(table("v_models")).where(column(_TUNED).is_not(None), tuned.is_distinct_from(trained)).limit(1)
    return connection.execute(asked).first() is not None


class _Names:
    """The look-up of names in one query."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._settings = cache(setting_columns)
        self._columns = cache(lambda view: {found["name"] for found in inspect(connection).get_columns(view)})

    def replacements(self, query: "exp.Expr") -> Iterator[Replacement]:
        """Yield what is to be written in place of the settings, inner queries' first.

        Raises:
            UserError: several settings are called so.
        """
        from sqlglot.errors import SqlglotError
        from sqlglot.optimizer.scope import traverse_scope

        seen: set[int] = set()
        try:
            scopes = traverse_scope(query)
        except SqlglotError:
            return
        for scope in scopes:
            for named in scope.columns:
                if id(named) not in seen:
                    seen.add(id(named))
                    yield from self._replaced(named, scope)

    def _replaced(self, named: "exp.Column", scope: "Scope") -> Iterator[Replacement]:
        places = [part.meta for part in named.parts]
        if not all("start" in place for place in places) or _is_own(named, scope):
            return
        for sources in _around(scope):
            of_one = len(places) > 1 and named.parts[0].name in sources
            parts = [part.name for part in named.parts[1 if of_one else 0 :]]
            known = {named.parts[0].name: sources[named.parts[0].name]} if of_one else sources
            written = self._column_of(parts, known)
            if written is not None:
                break
        else:
            return
        if written != _AS_IT_IS:
            title = f' AS "{".".join(parts)}"' if _is_selected(named) else ""
            yield places[1 if of_one else 0]["start"], places[-1]["end"] + 1, f"{written}{title}"

    def _column_of(self, parts: list[str], sources: Mapping[str, Any]) -> str | None:
        """The column that a name means among some sources: `_AS_IT_IS` if it names a column already, None where it is not found."""
        name = ".".join(parts)
        views = [view for view in map(_view, sources.values()) if view is not None]
        if len(parts) == 1 and any(_has_column(source, name, self._columns) for source in sources.values()):
            return _AS_IT_IS
        found = {setting: title for view in views for setting, title in self._named(name, view).items()}
        if len(found) > 1:
            found = self._without_inherited(found)
        if len({*found.values()}) > 1:
            raise UserError(f"query: '{name}': several settings are called so; one of {', '.join(found)}")
        return next(iter(found.values()), None)

    def _named(self, name: str, view: str) -> dict[str, str]:
        """The settings of a view that users may mean by a name, with their columns."""
        settings = self._settings(view)
        section, _, short = name.lower().replace(".settings.", ".").rpartition(".")
        if not section:
            found = [setting for setting in settings if setting.rpartition(".")[2] == short and FIELDS.get(setting, short) == short]
            return {setting: settings[setting] for setting in ([_SHORT[short]] if short in _SHORT else found)}
        section = "attacks" if section == "attack" else section
        title = settings.get(f"{section}.{short}") or self._foreign(section, short, view)
        return {f"{section}.{short}": title} if title else {}

    def _foreign(self, section: str, short: str, view: str) -> str | None:
        """The column of a setting of a component that is not installed here: one that no setting which is known here has."""
        others = self._columns(view) - {known.name for known in VIEWS[view](self._connection.dialect.name).selected_columns}
        titles = (f"{section}_{short}", short) if section in _FOREIGN else ()
        return next((title for title in titles if title in others), None)

    def _without_inherited(self, found: dict[str, str]) -> dict[str, str]:
        """The settings without that of a fine-tuning, where it is the training's throughout."""
        tuned = next((setting for setting in found if setting.startswith(f"{_TUNED}.")), "")
        short = tuned.removeprefix(f"{_TUNED}.")
        if not tuned or f"{_TRAINED}.{short}" not in found or _tunes_apart(self._connection, short):
            return found
        return {setting: title for setting, title in found.items() if setting != tuned}


def _around(scope: "Scope") -> Iterator[Mapping[str, Any]]:
    """Yield what a query reads, then what those around it do."""
    inner: Scope | None = scope
    while inner is not None:
        yield {name: source for name, (_, source) in inner.selected_sources.items()}
        inner = inner.parent


def _view(source: Any) -> str | None:
    """The view that a source is; None for other tables and queries."""
    from sqlglot import exp

    return source.name.lower() if isinstance(source, exp.Table) and source.name.lower() in VIEWS else None


def _has_column(source: Any, name: str, columns: Callable[[str], Collection[str]]) -> bool:
    """Tell if a view, a table or an inner query has a column; one whose columns are not known may have it."""
    if (view := _view(source)) is not None:
        return name.lower() in columns(view)
    selected = getattr(getattr(source, "expression", None), "named_selects", ["*"])
    return "*" in selected or name.lower() in {*map(str.lower, selected)}


def _is_own(named: "exp.Column", scope: "Scope") -> bool:
    """Tell if a name after GROUP BY, HAVING or ORDER BY is that which the query gives to something that it selects."""
    from sqlglot import exp

    around = named.find_ancestor(exp.Group, exp.Having, exp.Order, exp.Select)
    if len(named.parts) > 1 or around is None or isinstance(around, exp.Select):
        return False
    return named.name.lower() in {found.alias.lower() for found in getattr(scope.expression, "selects", ()) if isinstance(found, exp.Alias)}


def _is_selected(named: "exp.Column") -> bool:
    """Tell if a column is selected as it is, under no other name."""
    from sqlglot import exp

    return isinstance(named.parent, exp.Select) and named.arg_key == "expressions"
