"""Gaps in the tables of a sweep: models without all results, with the reasons, and those of earlier versions of its space."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select, union

from orchestrator.naming.names import counted
from orchestrator.naming.own_settings import hashable
from orchestrator.naming.varying_axes import Axes, ModelSettings, in_words
from orchestrator.store.connection.session import Store, rows_in, sweep_id
from orchestrator.store.reading.varying_settings import sweep_models, weights_parents
from orchestrator.store.schema.result_tables import AttackResultRecord, CleanResultRecord
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobParentRecord, JobRecord, SweepJobRecord
from orchestrator.terminal import hints

_MOST_LINES, _MOST_NAMED = 5, 3
_FAILED = " failed "
_TRAININGS = {"pretrain": "training", "adopt": "adoption", "fine_tune": "fine-tuning", "select": "selection", "defend": "defence"}
_EDGE = JobParentRecord


@dataclass(frozen=True)
class _Open:
    """A job of the sweep's space that is not done."""

    key: str
    stage: str
    failed: bool


def missing(store: Store, sweep: str | None, *, all_by: str | None = None) -> tuple[str, ...]:
    """Say which models of a sweep have no results, or not all, and why; and how many are in earlier versions of its space, where there is a
    command, `all_by`, that shows them by `--all`. Nothing of all sweeps together (None).

    Raises:
        UserError: no such sweep.
    """
    if sweep is None:
        return ()
    with store.reading() as connection:
        number = sweep_id(connection, sweep)
        return (
            *_unfinished(connection, number, partial(hints.command, "status", sweep, at=store.address)),
            *([] if all_by is None else _earlier(connection, number, hints.command(all_by, sweep, at=store.address, more=["--all"]))),
        )


def _earlier(connection: Connection, number: int, shown_by: str) -> list[str]:
    """Models that have results which only an earlier version of the space asked for."""
    measured = [
        select(record.model_key)
        .join(SweepJobRecord, SweepJobRecord.job_key == record.job_key)
        .where(SweepJobRecord.sweep_id == number, SweepJobRecord.in_space.is_(False))
        for record in (CleanResultRecord, AttackResultRecord)
    ]
    models = connection.execute(select(func.count()).select_from(union(*measured).subquery())).scalar_one()
    return [f"{counted(models, 'model')} of earlier versions of this space; see `{shown_by}`"] if models else []


def _unfinished(connection: Connection, number: int, status: Callable[..., str]) -> list[str]:
    """A line for each reason why models lack results, those without any first; `status` is the command that says more."""
    left = _open_jobs(connection, number)
    if not left:
        return []
    measuring = select(_EDGE.child_key, _EDGE.parent_key).join(SweepJobRecord, SweepJobRecord.job_key == _EDGE.child_key)
    measuring = measuring.where(_EDGE.role == "model", SweepJobRecord.sweep_id == number, SweepJobRecord.in_space)
    model_of = {
        row.child_key: row.parent_key
        for row in connection.execute(measuring.where(SweepJobRecord.stage.in_(("evaluate", "attack", "corrupt"))))
    }
    asked = Counter(model_of.values())
    lacking: defaultdict[str, list[_Open]] = defaultdict(list)
    for key in left.keys() & model_of.keys():
        lacking[model_of[key]].append(left[key])
    ancestors = _ancestors(connection, lacking)
    errors = _errors(connection, [key for key, job in left.items() if job.failed])
    groups: defaultdict[tuple[bool, str], list[str]] = defaultdict(list)
    for model, jobs in sorted(lacking.items()):
        reason = _reason([left[key] for key in ancestors[model] if key in left], jobs, errors)
        groups[len(jobs) < asked[model], reason].append(model)
    settings = sweep_models(connection, [number]) if errors else {}
    more = status(more=["--failed"] if errors else [])
    lines = [
        f"{_line(models, asked, reason, settings, partly=partly)}; see `{more}`"
        for (partly, reason), models in sorted(groups.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1]))
    ]
    return lines[:_MOST_LINES] + ([f"and for {len(lines) - _MOST_LINES} further reasons"] if len(lines) > _MOST_LINES else [])


def _line(models: Sequence[str], asked: Collection[str], reason: str, settings: Mapping[str, ModelSettings], *, partly: bool) -> str:
    where = _where(models, {key: settings[key] for key in asked if key in settings}) if _FAILED in reason else ""
    return f"{len(models)} of {len(asked)} models {'lack some results' if partly else 'have no results'}: {reason}{where}"


def _open_jobs(connection: Connection, number: int) -> dict[str, _Open]:
    held = select(SweepJobRecord.job_key).where(
        SweepJobRecord.job_key == JobRecord.key, SweepJobRecord.sweep_id == number, SweepJobRecord.in_space
    )
    statement = select(JobRecord.key, JobRecord.stage, JobRecord.state).where(JobRecord.state.in_(("failed", "planned")), held.exists())
    return {row.key: _Open(row.key, row.stage, row.state == "failed") for row in connection.execute(statement)}


def _ancestors(connection: Connection, models: Iterable[str]) -> dict[str, list[str]]:
    """Each model with those that its weights come from."""
    found = {model: [model] for model in models}
    parents = weights_parents(connection, found)
    for chain in found.values():
        while chain[-1] in parents:
            chain.append(parents[chain[-1]])
    return found


def _errors(connection: Connection, keys: Sequence[str]) -> dict[str, str]:
    """The error of the last failed attempt at each job."""
    columns = AttemptRecord.job_key, AttemptRecord.error
    statement = select(*columns).where(AttemptRecord.outcome == "failed").order_by(AttemptRecord.number)
    return {row.job_key: row.error or "" for row in rows_in(connection, statement, AttemptRecord.job_key, keys)}


def _reason(trainings: Sequence[_Open], measurements: Sequence[_Open], errors: Mapping[str, str]) -> str:
    """Reason why a model lacks results: a training of it or of an ancestor that failed, a measurement that did, or nothing yet."""
    for job in (*trainings, *measurements):
        if job.failed:
            return f"{_TRAININGS.get(job.stage, job.stage)}{_FAILED}({errors.get(job.key, '').removeprefix('JobError: ')})"
    return "not trained yet" if trainings else "not measured yet"


def _where(models: Collection[str], among: Mapping[str, ModelSettings]) -> str:
    """Distinction of some models from the others: the settings that they alone share, else the first of their names."""
    mine, others = ([settings for key, settings in among.items() if (key in models) is wanted] for wanted in (True, False))
    axes = Axes.of(among.values())
    if not (mine and others and axes):
        return ""
    shared = [name for name in axes.titles if name in mine[0] and len(_values(mine, name)) == 1]
    alone = [name for name in shared if _values(mine, name).isdisjoint(_values(others, name))]
    if not alone and all(any(_values([other], name) != _values(mine, name) for name in shared) for other in others):
        alone = shared
    if alone:
        return f" at {', '.join(f'{axes.titles[name]} {in_words(mine[0][name])}' for name in alone)}"
    names = sorted(axes.label(settings) for settings in mine)
    return f" at {'; '.join([*names[:_MOST_NAMED], *([f'{len(names) - _MOST_NAMED} more'] if len(names) > _MOST_NAMED else [])])}"


def _values(models: Iterable[ModelSettings], name: str) -> set[Any]:
    return {hashable(settings.get(name)) for settings in models}
