"""Studies of searches, in Optuna's tables next to ours, as the store's maintenance sees them. Without Optuna."""

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, MetaData, Table, delete, func, inspect, select

from orchestrator.store.reading.study_trials import study_names
from orchestrator.store.schema.sweep_tables import SweepRecord


def studies_of(connection: Connection, sweeps: Sequence[int], *, orphans: bool) -> list[str]:
    """Return the names of the studies of these sweeps, and of `orphans`, which are no sweep's."""
    names = {row.id: row.name for row in connection.execute(select(SweepRecord.id, SweepRecord.name))}
    going = {names[number] for number in sweeps}
    return [name for name in study_names(connection) if name in going or (orphans and name not in names.values())]


def count_trials(connection: Connection, studies: Sequence[str]) -> tuple[int, int]:
    """Return the number of trials of these studies, and about how many bytes they take."""
    if not studies:
        return 0, 0
    trials, said = _table(connection, "trials"), _table(connection, "trial_user_attributes")
    theirs = select(trials.c.trial_id).where(trials.c.study_id.in_(_named(connection, studies)))
    number = connection.execute(select(func.count()).select_from(theirs.subquery())).scalar_one()
    size = connection.execute(select(func.sum(func.length(said.c.value_json))).where(said.c.trial_id.in_(theirs))).scalar()
    return number, int(size or 0)


def drop_studies(connection: Connection, studies: Sequence[str]) -> None:
    """Remove studies with all that refers to them, or to their trials."""
    if not studies:
        return
    named, trials, all_studies = _named(connection, studies), _table(connection, "trials"), _table(connection, "studies")
    theirs = select(trials.c.trial_id).where(trials.c.study_id.in_(named))
    for column in _referring(connection, "trials"):
        connection.execute(delete(column.table).where(column.in_(theirs)))
    for column in _referring(connection, "studies"):
        connection.execute(delete(column.table).where(column.in_(named)))
    connection.execute(delete(all_studies).where(all_studies.c.study_name.in_(studies)))


def _named(connection: Connection, studies: Sequence[str]) -> ColumnElement[int]:
    found = _table(connection, "studies")
    return select(found.c.study_id).where(found.c.study_name.in_(studies))  # type: ignore[return-value]


def _referring(connection: Connection, name: str) -> Iterator[ColumnElement[int]]:
    """Yield the columns that refer to a table of Optuna's."""
    there = inspect(connection)
    for table in there.get_table_names():
        for key in there.get_foreign_keys(table):
            if key["referred_table"] == name:
                yield _table(connection, table).c[key["constrained_columns"][0]]


def _table(connection: Connection, name: str) -> Table:
    return Table(name, MetaData(), autoload_with=connection, resolve_fks=False)
