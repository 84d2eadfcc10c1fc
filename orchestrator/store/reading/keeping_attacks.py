"""Attacks that keep what they made of some examples, so that it can be looked at."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from orchestrator.store.connection.session import Store, of_sweep, sweep_id
from orchestrator.store.reading.varying_settings import job_labels
from orchestrator.store.schema.result_tables import AttackResultRecord
from orchestrator.store.schema.sweep_tables import JobRecord
from workers.spec.fields import ExampleOrder


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepingAttack:
    """A finished attack that was asked to keep examples, at most `count` in an order; one after others may have had fewer to attack."""

    job_key: str
    model_key: str
    description: str
    count: int
    order: ExampleOrder


def keeping_attacks(store: Store, sweep: str | None = None, *, model: str | None = None) -> list[KeepingAttack]:
    """Return the attacks on test examples of a sweep's space (None: of all), or on one model, in their first repeat, by description.

    Raises:
        UserError: no such sweep.
    """
    attack = AttackResultRecord
    with store.reading() as connection:
        number = None if sweep is None else sweep_id(connection, sweep)
        statement = _keeping(select(JobRecord.key, JobRecord.spec, attack.model_key, attack.example_order))
        if number is not None:
            statement = of_sweep(statement, attack.job_key, number)
        if model is not None:
            statement = statement.where(attack.model_key == model)
        rows = connection.execute(statement).all()
        labels = job_labels(connection, {row.key: row.spec for row in rows}, None if number is None else [number])
    found = [
        KeepingAttack(
            job_key=row.key,
            model_key=row.model_key,
            description=labels[row.key],
            count=json.loads(row.spec)["keep_examples"],
            order=row.example_order,
        )
        for row in rows
    ]
    return sorted(found, key=lambda item: (item.description, item.job_key))


def _keeping(selected: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Of jobs those that keep examples, by the text of their specs: few do."""
    attack = AttackResultRecord
    asks = JobRecord.spec.like('%"keep_examples":%'), JobRecord.spec.not_like('%"keep_examples":0%')
    joined = selected.select_from(attack).join(JobRecord, JobRecord.key == attack.job_key)
    return joined.where(attack.repeat == 0, attack.split == "test", *asks)
