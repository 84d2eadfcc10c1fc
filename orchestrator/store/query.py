"""Reads of keys, names and results. Rows of the database never leave: callers get frozen values."""

from typing import Any

from sqlalchemy import Connection, Select, select, union

from orchestrator.store.aggregate import Measurement, result_table
from orchestrator.store.lookup import sweep_id
from orchestrator.store.measured import as_measurements, described_models, measured_columns
from orchestrator.store.models import JobRecord, SweepJobRecord, SweepRecord
from orchestrator.store.pools import seed_pools
from orchestrator.store.result_models import AttackResultRecord, CleanResultRecord
from orchestrator.store.session import Store
from orchestrator.store.values import ResultRow

AnySelect = Select[*tuple[Any, ...]]


def finished_keys(store: Store) -> frozenset[str]:
    """The keys of all jobs that have a result."""
    with store.reading() as connection:
        return frozenset(connection.execute(select(JobRecord.key).where(JobRecord.state == "done")).scalars())


def sweep_names(store: Store) -> list[str]:
    """The names of all sweeps, sorted."""
    with store.reading() as connection:
        return sorted(connection.execute(select(SweepRecord.name)).scalars())


def result_rows(store: Store, sweep: str | None, *, per_repeat: bool, over_seeds: bool = False, worst: bool = False) -> list[ResultRow]:
    """The results of a sweep, or of all (then one row per sweep that holds the jobs), older spaces of a sweep included.

    A row is one trained model under one attack, knowledge, epsilon and so on, over its repeats or, with `per_repeat`, in one of
    them; with `over_seeds` it is all models that were made alike but for the training seed; with `worst` it is the worst case over all
    attacks of one knowledge, and of every knowledge, in the same ball. Its clean accuracy is over the same
    examples, in batches of the same size and as many draws, in the same sweep (and repeat). A clean accuracy over examples, in batches
    or in draws that no attack on the model has in the sweep is a row with attack `none`. Sorted by sweep, data set,
    model, width, binary (false first), rank fraction, theta (1 first), defence (none first) and its settings, adversarial
    training (none first), seed, knowledge (randomized first), attack (from noise to Square), norm (linf first), epsilon, then the
    attack's other settings.

    Raises:
        UserError: no such sweep.
    """
    with store.reading() as connection:
        number = None if sweep is None else sweep_id(connection, sweep)
        clean = _measurements(connection, CleanResultRecord, number)
        attacks = _measurements(connection, AttackResultRecord, number)
        models = _models(connection, number)
        pools = seed_pools(connection, models) if over_seeds else None
    if over_seeds:
        models = {key: {**model, "seed": None} for key, model in models.items()}
    return result_table(models, clean, attacks, per_repeat=per_repeat, pools=pools, worst=worst)


def _of_sweep(statement: AnySelect, record: type[CleanResultRecord | AttackResultRecord], sweep: int | None) -> AnySelect:
    joined = statement.join(SweepJobRecord, SweepJobRecord.job_key == record.job_key)
    return joined if sweep is None else joined.where(SweepJobRecord.sweep_id == sweep)


def _measurements(connection: Connection, record: type[CleanResultRecord | AttackResultRecord], sweep: int | None) -> list[Measurement]:
    statement = _of_sweep(select(SweepRecord.name.label("sweep"), *measured_columns(record)).select_from(record), record, sweep)
    rows = connection.execute(statement.join(SweepRecord, SweepRecord.id == SweepJobRecord.sweep_id)).mappings()
    return list(as_measurements(rows))


def _models(connection: Connection, sweep: int | None) -> dict[str, dict[str, Any]]:
    """Every model that the sweep has measured, described, by key."""
    return described_models(
        connection, union(*(_of_sweep(select(record.model_key), record, sweep) for record in (CleanResultRecord, AttackResultRecord)))
    )
