"""Conversion of table rows into what the aggregation works on: measurements, described models, and
groups of models that differ in their training seed alone."""

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any, get_args

from sqlalchemy import Connection, Result, Select, Text, and_, cast, func, select

from orchestrator.naming.own_settings import hashable
from orchestrator.statistics.verdict import checks_of, reasons
from orchestrator.store.connection.session import of_sweep, rows_in
from orchestrator.store.reading.measured import SPENT, Measurement, Setting
from orchestrator.store.reading.stored_specs import stored_spec
from orchestrator.store.schema.result_tables import AttackResultRecord, CleanResultRecord, TrainedModelRecord, VerdictRecord
from orchestrator.store.schema.sweep_tables import JobParentRecord, JobRecord, SweepEpsilonRecord, SweepJobRecord, SweepRecord
from workers.spec.fields import TrainingStage
from workers.spec.keys import job_key
from workers.spec.stage_specs import TrainSpec

_UNREPORTED = {"job_key", "history", "seconds", "environment_id", "finished_at", "resumed_key"}
_MODEL_COLUMNS = [column for column in TrainedModelRecord.__table__.columns if column.name not in _UNREPORTED]
_AS_TEXT = ("settings", "metrics")
_AT_ONCE = 5000
_MEASURED = tuple(field.name for field in fields(Setting) if field.name != "attack_settings")


def measured_columns(record: type[CleanResultRecord | AttackResultRecord]) -> list[Any]:
    """Return the columns of a table of results that make a `Measurement`, except its sweep; JSON as text."""
    named = ("job_key", "model_key", "repeat", "flags", "epsilon_literal", *_AS_TEXT, *SPENT, *_MEASURED)
    found = [column for column in record.__table__.columns if column.name in named]
    columns = [cast(column, Text).label(column.name) if column.name in _AS_TEXT else column for column in found]
    return [*columns, record.batch_size.label("evaluation_batch_size")]


def measured_in(
    record: type[CleanResultRecord | AttackResultRecord], sweep: int | None, *, every_space: bool = False, few: bool = False
) -> Select[*tuple[Any, ...]]:
    """Select the rows for `as_measurements`, of a sweep or of each, one row for each sweep that holds the job; see `of_sweep`."""
    columns = measured_columns(record)
    if record is AttackResultRecord:  # an epsilon is shown as the sweep writes it
        written = func.coalesce(SweepEpsilonRecord.literal, record.epsilon_literal).label("epsilon_literal")
        columns = [written if column.name == "epsilon_literal" else column for column in columns]
    statement = of_sweep(
        select(SweepRecord.name.label("sweep"), *columns).select_from(record), record.job_key, sweep, every_space=every_space, few=few
    )
    statement = statement.join(SweepRecord, SweepRecord.id == (SweepJobRecord.sweep_id + 0 if few else SweepJobRecord.sweep_id))
    if record is AttackResultRecord:
        same = and_(SweepEpsilonRecord.sweep_id == SweepRecord.id, SweepEpsilonRecord.epsilon == record.epsilon)
        statement = statement.outerjoin(SweepEpsilonRecord, same)
    return statement


def as_measurements(rows: Result[*tuple[Any, ...]], *, sweep: str = "") -> Iterator[Measurement]:
    """Convert rows with the `measured_columns`, and `sweep` unless all are of this one."""
    names = list(rows.keys())
    of_setting = [name for name in names if name in _MEASURED]
    others = [name for name in names if name not in _MEASURED and name not in _AS_TEXT]
    setting_in, others_in = (itemgetter(*map(names.index, some)) for some in (of_setting, others))
    own, metrics = (names.index(name) if name in names else None for name in _AS_TEXT)
    settings: dict[Hashable, Setting] = {}  # few, of many rows
    read = cache(_read)
    for row in map(tuple, chain.from_iterable(rows.partitions(_AT_ONCE))):
        known = setting_in(row)
        text = None if own is None else row[own]
        if (setting := settings.get((text, known))) is None:
            held = tuple((name, hashable(value)) for name, value in sorted(read(text).items()))
            setting = settings[text, known] = Setting(attack_settings=held, **dict(zip(of_setting, known, strict=True)))
        values: dict[str, Any] = {"sweep": sweep} | dict(zip(others, others_in(row), strict=True))
        yield Measurement(setting=setting, metrics=read(None if metrics is None else row[metrics]), **values)


def _read(text: str | None) -> dict[str, Any]:
    """The settings or metrics in a JSON text; none in that of null."""
    found: dict[str, Any] = json.loads(text or "null") or {}
    return found


def described_models(connection: Connection, keys: Any) -> dict[str, dict[str, Any]]:
    """The reported columns of the models among `keys` (a list, or a select of keys), how they and their ancestors were trained, and the
    verdicts on them, by key."""
    judged = VerdictRecord.verdict, VerdictRecord.checks
    statement = _of_models(TrainedModelRecord.job_key, JobRecord.stage, *_MODEL_COLUMNS, *judged)
    joined = statement.outerjoin(VerdictRecord, VerdictRecord.model_key == TrainedModelRecord.job_key)
    rows = connection.execute(joined.where(TrainedModelRecord.job_key.in_(keys))).mappings().all()
    trainings = trainings_of(connection, {row["job_key"]: (row["stage"], row["training"], row["parent_key"]) for row in rows})
    return {row["job_key"]: {**_described(row), **trainings[row["job_key"]]} for row in rows}


def _of_models(*columns: Any) -> Select[*tuple[Any, ...]]:
    """These columns of trained models, and the model whose weights each started from."""
    weights = and_(JobParentRecord.child_key == TrainedModelRecord.job_key, JobParentRecord.role == "weights")
    statement = select(*columns, JobParentRecord.parent_key).select_from(TrainedModelRecord)
    return statement.join(JobRecord, JobRecord.key == TrainedModelRecord.job_key).outerjoin(JobParentRecord, weights)


def _described(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields of one model; that its forward passes are not random must be known."""
    fields_of_model = {str(name): value for name, value in row.items() if name not in {"job_key", "parent_key", "checks"}}
    return {**fields_of_model, "randomised": row["randomised"] is not False, "reasons": reasons(checks_of(row["checks"] or ()))}


_Trained = tuple[str, dict[str, Any], str | None]
"""The stage of a model, the settings of its own training, and the model whose weights it started from."""


def trainings_of(connection: Connection, models: Mapping[str, _Trained]) -> dict[str, dict[str, Any]]:
    """For each model the settings of its training from scratch and of the last fine-tuning, as far as they are recorded."""
    trained = dict(models)
    while missing := sorted({parent for _, _, parent in trained.values() if parent is not None} - set(trained)):
        statement = _of_models(TrainedModelRecord.job_key, JobRecord.stage, TrainedModelRecord.training)
        trained |= dict.fromkeys(missing, ("pretrain", {}, None))
        for key, *found in rows_in(connection, statement, TrainedModelRecord.job_key, missing):
            trained[key] = (found[0], found[1], found[2])
    return {key: _training(key, trained) for key in models}


def _training(key: str, trained: Mapping[str, _Trained]) -> dict[str, Any]:
    """The settings of a model's training from scratch, and of its last fine-tuning; a defence repeats its model's."""
    stage, own, parent = trained[key]
    before = {"training": own, "fine_tuning": None} if parent is None else _training(parent, trained)
    if stage == "select":  # it repeats what its model was trained with last
        return {**before, "training" if before["fine_tuning"] is None else "fine_tuning": own}
    return {**before, "fine_tuning": own} if stage == "fine_tune" else before


_TRAINED = get_args(TrainingStage)


def seed_pools(connection: Connection, models: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Map each of `models` (reported columns, with their `seed`, by key) to the key of that with the lowest seed of those made alike.

    Two models are made alike where their whole specs, and those of all the models that they come from, differ in the seed at most:
    the reported columns alone would not distinguish two learning rates.
    """
    recipes = _recipes(connection, models)
    first: dict[str, str] = {}
    for key in sorted(models, key=lambda key: (models[key]["seed"], key)):
        first.setdefault(recipes[key], key)
    return {key: first[recipes[key]] for key in models}


def _recipes(connection: Connection, keys: Iterable[str]) -> dict[str, str]:
    """A key for each model that only models have in common whose jobs differ in their seeds at most."""
    job = JobRecord
    columns = job.key, job.spec, job.digests, job.key_version
    jobs = {row.key: row for row in connection.execute(select(*columns).where(job.stage.in_(_TRAINED)))}
    edges = select(JobParentRecord.child_key, JobParentRecord.role, JobParentRecord.parent_key).join(
        JobRecord, JobRecord.key == JobParentRecord.child_key
    )
    parents: dict[str, dict[str, str]] = {}
    for child, role, parent in connection.execute(edges.where(JobRecord.stage.in_(_TRAINED))):
        parents.setdefault(child, {})[role] = parent

    @cache
    def recipe(key: str) -> str:
        row = jobs[key]
        if not isinstance(spec := stored_spec(row.spec), TrainSpec):
            return key
        digests = {**(row.digests or {}), "key version": str(row.key_version)}
        of_parents = {role: recipe(parent) for role, parent in parents.get(key, {}).items()}
        return job_key(spec.model_copy(update={"seed": 0}), of_parents, digests)

    return {key: recipe(key) for key in keys}
