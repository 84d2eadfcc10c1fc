"""Reads of keys, names and results. Rows of the database never leave: callers get frozen values."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, cast, select, union, union_all

from orchestrator.statistics.verdict import GRAVEST_FIRST
from orchestrator.store.connection.session import Store, of_sweep, rows_in, sweep_id
from orchestrator.store.reading.aggregate import result_table
from orchestrator.store.reading.conditions import Condition, require_known_words
from orchestrator.store.reading.corruption_rows import CorruptedMeasurement, corruption_means, with_corruptions
from orchestrator.store.reading.measured import EVALUATION, Measurement, Setting
from orchestrator.store.reading.measurements import as_measurements, described_models, measured_in, seed_pools
from orchestrator.store.reading.probes import probes_in
from orchestrator.store.reading.stopped_attacks import stopped_attacks
from orchestrator.store.reading.values import ResultRow
from orchestrator.store.schema.result_tables import AttackResultRecord, CleanResultRecord, TrainedModelRecord, result_tables
from orchestrator.store.schema.sweep_tables import JobRecord, SweepRecord
from workers.components.facts import PluginVersion

_ATTACK_FIELDS = frozenset(field.name for field in fields(Setting)) - {"source"}
_MODEL_FIELDS = frozenset(column.name for column in TrainedModelRecord.__table__.columns) - {"job_key", "seconds"}
_PROBE_FIELDS = _ATTACK_FIELDS - {"attack_settings", *EVALUATION}
_OF_ATTACKS = "attacks."
_WHOLE = Condition("until", "=", (None,))


def finished_keys(store: Store) -> frozenset[str]:
    """Return the keys of all jobs that have a result: its row, whatever the state of the job."""
    with store.reading() as connection:
        return frozenset(connection.execute(union_all(*(select(table.c.job_key) for table in result_tables()))).scalars())


def finished_of_sweep(store: Store, sweep: str) -> list[str]:
    """Return the keys of the jobs that are done in a sweep's space as it was last launched, sorted.

    Raises:
        UserError: no such sweep.
    """
    done = select(JobRecord.key).where(JobRecord.state == "done").order_by(JobRecord.key)
    with store.reading() as connection:
        return list(connection.execute(of_sweep(done, JobRecord.key, sweep_id(connection, sweep))).scalars())


def earlier_plugins(store: Store) -> dict[str, list[tuple[PluginVersion, ...]]]:
    """Return the plugins of all jobs that have a result and ran any, by their seed keys."""
    statement = select(JobRecord.seed_key, JobRecord.plugins).where(JobRecord.state == "done", cast(JobRecord.plugins, String) != "[]")
    found: dict[str, list[tuple[PluginVersion, ...]]] = {}
    with store.reading() as connection:
        for seed_key, plugins in connection.execute(statement):
            found.setdefault(seed_key, []).append(tuple(PluginVersion(**plugin) for plugin in plugins or ()))
    return found


def earlier_digests(store: Store) -> dict[str, list[dict[str, str]]]:
    """Return the digests of all trainings that have a result and whose keys hold any, by their seed keys."""
    trained = JobRecord.stage.in_(("pretrain", "fine_tune", "select", "defend"))
    statement = select(JobRecord.seed_key, JobRecord.digests).where(JobRecord.state == "done", trained)
    found: dict[str, list[dict[str, str]]] = {}
    with store.reading() as connection:
        for seed_key, digests in connection.execute(statement):
            if digests:
                found.setdefault(seed_key, []).append(dict(digests))
    return found


def job_keys(store: Store) -> frozenset[str]:
    """Return the keys of all jobs."""
    with store.reading() as connection:
        return frozenset(connection.execute(select(JobRecord.key)).scalars())


def adopted_weights(store: Store, *, without: Collection[str] = ()) -> frozenset[str]:
    """Return the digests of the weights that jobs adopt, but for the jobs `without` which the store is thought of."""
    statement = select(JobRecord.key, JobRecord.digests).where(JobRecord.stage == "adopt")
    with store.reading() as connection:
        found = {key: (digests or {}).get("weights") for key, digests in connection.execute(statement)}
    return frozenset(digest for key, digest in found.items() if digest and key not in without)


def sweep_names(store: Store) -> list[str]:
    """Return the names of all sweeps, sorted."""
    with store.reading() as connection:
        return sorted(connection.execute(select(SweepRecord.name)).scalars())


def result_rows(  # noqa: PLR0913 (each is a form of the same rows)
    store: Store,
    sweep: str | None,
    *,
    per_repeat: bool,
    over_seeds: bool = False,
    worst: bool = False,
    where: Sequence[Condition] = (),
    rungs: bool = False,
    every_space: bool = False,
    stopped: bool = False,
) -> list[ResultRow]:
    """Return the results of a sweep, or of all (then one row per sweep that holds the jobs), of its space as it was last launched, or of
    `every_space` that it has had.

    A row is one trained model under one attack, knowledge, epsilon and so on, over its repeats or, with `per_repeat`, in one of
    them; with `over_seeds` it is all models that were made alike except for the training seed; with `worst` it is the worst case over
    all attacks of one knowledge, and of every knowledge, in the same ball, those of the model's diagnoses in the sweep among them (whose
    jobs are not among the row's). Only rows that meet all conditions of `where` are returned, and a worst case is over the attacks that
    do. Models that were stopped at a rung are left out, unless `rungs` or a condition on `until` asks for them. A row's clean accuracy is
    over the same examples, in batches of the same size and as many draws, in the same sweep (and repeat). A clean accuracy over examples,
    in batches or in draws that no attack on the model has in the sweep is a row with attack `none`. With `stopped`, attacks that have
    left a race early have rows too, marked by `asked_examples`, but no worst case is over them. Sorted by sweep, data set, model,
    width, binary (false first), rank fraction, theta (1 first), defence (none first) and its settings, adversarial training (none first),
    seed, knowledge (from transfer, which knows least, over randomized and eot to omniscient), source (the nearest to the model first),
    attack (from noise to Square), norm (linf first), epsilon, then the attack's other settings.

    Of `every_space`, what was measured with several versions of a user's code has a row for each (see `code_versions`).

    Raises:
        UserError: no such sweep.
    """
    with store.reading() as connection:
        number = None if sweep is None else sweep_id(connection, sweep)
        require_known_words(connection, where)
        asked = where if rungs or any(condition.field == "until" for condition in where) else (*where, _WHOLE)
        read = _read(connection, number, asked, every_space=every_space, stopped=stopped and not worst, pooled=over_seeds)
        pools = seed_pools(connection, read.models) if over_seeds else None
        probes = probes_in(connection, number, every_space=every_space) if worst else []
    return _rows(read, where, per_repeat=per_repeat, pools=pools, worst=worst, probes=probes)


def rows_and_worst_cases(store: Store, sweep: str) -> tuple[list[ResultRow], list[ResultRow]]:
    """Return the rows of a sweep over repeats, and its worst cases over training seeds; where a model has none, for too few draws, with its
    single attacks over seeds: as `result_rows` does, but everything is read once.

    Raises:
        UserError: no such sweep.
    """
    with store.reading() as connection:
        number = sweep_id(connection, sweep)
        read = _read(connection, number, (_WHOLE,), every_space=False, stopped=False)
        pools, probes = seed_pools(connection, read.models), probes_in(connection, number, every_space=False)
    rows, worst = _rows(read), _rows(read, pools=pools, worst=True, probes=probes)
    if all(row.robust_accuracy is not None for row in worst if row.attack != "none"):
        return rows, worst
    return rows, [*worst, *_rows(read, pools=pools)]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """Evaluations and attacks of a sweep, its models by key, and their accuracy under corruptions."""

    clean: list[Measurement]
    attacks: list[Measurement]
    models: dict[str, dict[str, Any]]
    corrupted: dict[CorruptedMeasurement, float]


def _read(
    connection: Connection,
    sweep: int | None,
    where: Sequence[Condition],
    *,
    every_space: bool,
    stopped: bool,
    pooled: bool = False,
) -> _Read:
    """Read what meets the conditions that the database can evaluate; with all models where they are to be `pooled`."""
    clean = _measurements(connection, CleanResultRecord, sweep, where, every_space=every_space)
    attacks = _measurements(connection, AttackResultRecord, sweep, where, every_space=every_space)
    attacks += stopped_attacks(connection, sweep, every_space=every_space) if stopped else []
    models = _models(connection, sweep, () if pooled else where, every_space=every_space)
    corrupted = corruption_means(connection, sweep, every_space=every_space)
    if every_space:  # a space as it was last launched has one version of everything
        attacks, models = attacks_by_version(connection, attacks), models_by_version(connection, models)
    return _Read(clean=clean, attacks=attacks, models=models, corrupted=corrupted)


def _rows(
    read: _Read,
    where: Sequence[Condition] = (),
    *,
    per_repeat: bool = False,
    pools: Mapping[str, str] | None = None,
    worst: bool = False,
    probes: Sequence[Measurement] = (),
) -> list[ResultRow]:
    """Return the rows of what was read; see `result_rows`. With `pools` they are over training seeds."""
    attacks, models = read.attacks, read.models
    where = _named(where, models, attacks)
    of_attacks = [condition for condition in where if condition.field.startswith(_OF_ATTACKS)]
    attacks = [item for item in attacks if all(_holds(condition, item) for condition in of_attacks)]
    on_probes = [condition for condition in where if condition.field in _PROBE_FIELDS]
    probes = [item for item in probes if _meets(item, on_probes) and all(_holds(condition, item) for condition in of_attacks)]
    if pools is not None:
        models = _pooled(models, pools)
    table = result_table(models, read.clean, attacks, per_repeat=per_repeat, pools=pools, worst=worst, probes=probes)
    rows = with_corruptions(table, read.corrupted, pools)
    settled = (_ATTACK_FIELDS if worst else frozenset()) | (frozenset() if pools is None else {"seed"})
    left = [condition for condition in where if condition.field not in settled and not (worst and condition in of_attacks)]
    return [row for row in rows if all(condition.holds(row) for condition in left)]


def _named(where: Sequence[Condition], models: Mapping[str, Any], attacks: Sequence[Measurement]) -> list[Condition]:
    """Return the conditions with the settings of these models and attacks that they are on."""
    if all(condition.is_of_field for condition in where):
        return list(where)
    measured = {(item.setting.attack_settings, tuple(item.metrics)): item for item in attacks}.values()
    held = [*models.values(), *({"attack_settings": _own(item), "metrics": item.metrics} for item in measured)]
    return [condition.among(held) for condition in where]


def _own(item: Measurement) -> dict[str, Any]:
    return dict(item.setting.attack_settings)


def _holds(condition: Condition, item: Measurement) -> bool:
    return condition.holds_for(_own(item).get(condition.field.removeprefix(_OF_ATTACKS)))


def _meets(item: Measurement, conditions: Sequence[Condition]) -> bool:
    return all(condition.holds_for(getattr(item.setting, condition.field)) for condition in conditions)


def _measurements(
    connection: Connection,
    record: type[CleanResultRecord | AttackResultRecord],
    sweep: int | None,
    where: Sequence[Condition],
    *,
    every_space: bool,
) -> list[Measurement]:
    statement = measured_in(record, sweep, every_space=every_space, few=bool(_on_keys(where))).outerjoin(
        TrainedModelRecord, TrainedModelRecord.job_key == record.model_key
    )
    return list(as_measurements(connection.execute(statement.where(*_clauses(record, where)))))


def _clauses(record: type[CleanResultRecord | AttackResultRecord], where: Sequence[Condition]) -> list[ColumnElement[bool]]:
    """Return the conditions that the database can evaluate before rows are read; a clean accuracy has no columns of an attack."""
    tables = {name: column for name, column in TrainedModelRecord.__table__.columns.items() if name in _MODEL_FIELDS}
    tables |= {name: column for name, column in record.__table__.columns.items() if name in _ATTACK_FIELDS or name == "model_key"}
    tables["evaluation_batch_size"] = record.__table__.c.batch_size
    return [condition.clause(tables[condition.field]) for condition in where if condition.field in tables]


def _on_keys(where: Sequence[Condition]) -> list[Condition]:
    """Return the conditions that name models by whole keys."""
    return [condition for condition in where if condition.field == "model_key" and condition.is_of_whole_keys]


def _models(connection: Connection, sweep: int | None, where: Sequence[Condition], *, every_space: bool) -> dict[str, dict[str, Any]]:
    """Describe every model that the sweep has measured, or transferred examples from, by key; of those alone that `where` names by key."""
    clean, attack = CleanResultRecord, AttackResultRecord
    columns = (clean, clean.model_key), (attack, attack.model_key), (attack, attack.source_key)
    named = _on_keys(where)
    keys = union(
        *(
            of_sweep(select(key), record.job_key, sweep, every_space=every_space, few=bool(named))
            .where(key.is_not(None), *(condition.clause(record.__table__.c.model_key) for condition in named))
            .distinct()
            for record, key in columns
        )
    )
    return described_models(connection, keys)


def _pooled(models: Mapping[str, Mapping[str, Any]], pools: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the models as their pools are reported: without a seed, and with the gravest verdict in the pool."""
    judged = {key: (model["verdict"], model["reasons"]) for key, model in models.items() if model["verdict"] is not None}
    gravest: dict[str, Any] = {}
    for key, (verdict, why) in sorted(judged.items(), key=lambda item: GRAVEST_FIRST.index(item[1][0])):
        gravest.setdefault(pools[key], {"verdict": verdict, "reasons": why})
    return {key: {**model, "seed": None, **gravest.get(pools[key], {})} for key, model in models.items()}


CODE = "code"
_DIGITS = 8
_HELD_IN = {"model": "model_settings", "dataset": "data_settings", "defence": "defence_settings"}
Versions = Mapping[str, Mapping[str, str]]
"""The digests of each job's components, `attack my_attack` say, by its key; only of those that have several versions."""


def attacks_by_version(connection: Connection, attacks: Sequence[Measurement]) -> list[Measurement]:
    """Return measurements whose attacks have the setting `code` where theirs has several versions among them."""
    versions = _several(connection, {item.job_key for item in attacks}, ("attack",))
    found = []
    for item in attacks:
        code = versions.get(item.job_key, {}).get(f"attack {item.setting.attack}")
        own = () if code is None else ((CODE, code[:_DIGITS]),)
        settings = tuple(sorted((*item.setting.attack_settings, *own)))
        found.append(item._replace(setting=replace(item.setting, attack_settings=settings)) if own else item)
    return found


def models_by_version(connection: Connection, models: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return models, by key, whose network, data set or defence has the setting `code` where it has several versions among them."""
    versions = _several(connection, models, tuple(_HELD_IN))
    described = {key: dict(model) for key, model in models.items()}
    for key, digests in versions.items():
        for name, code in digests.items():
            field = _HELD_IN[name.partition(" ")[0]]
            described[key][field] = {**(described[key][field] or {}), CODE: code[:_DIGITS]}
    return described


def _several(connection: Connection, keys: Iterable[str], kinds: Sequence[str]) -> Versions:
    """The digests, among jobs, of the components of these kinds that have several versions there."""
    held: dict[str, dict[str, str]] = {}
    versions: defaultdict[str, set[str]] = defaultdict(set)
    foreign = select(JobRecord.key, JobRecord.digests).where(cast(JobRecord.digests, String).not_in(("{}", "null")))
    for key, digests in rows_in(connection, foreign, JobRecord.key, keys):
        held[key] = {name: digest for name, digest in (digests or {}).items() if name.partition(" ")[0] in kinds}
        for name, digest in held[key].items():
            versions[name].add(digest)
    return {key: {name: code for name, code in found.items() if len(versions[name]) > 1} for key, found in held.items()}
