"""Attacks whose examples can be looked at: they keep what they made of some, or tried what was made once."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, or_, select

from orchestrator.store.connection.session import Store, of_sweep, sweep_id
from orchestrator.store.reading.varying_settings import job_labels
from orchestrator.store.schema.result_tables import AttackResultRecord
from orchestrator.store.schema.sweep_tables import JobParentRecord, JobRecord
from workers.spec.fields import ExampleOrder


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepingAttack:
    """A finished attack that was asked to keep examples, at most `count` in an order (one after others may have had fewer to attack), or
    that tried `count` examples which were made once."""

    job_key: str
    model_key: str
    description: str
    count: int
    order: ExampleOrder


def keeping_attacks(store: Store, sweep: str | None = None, *, model: str | None = None, tried: bool = False) -> list[KeepingAttack]:
    """Return the attacks on test examples of a sweep's space (None: of all), or on one model, in their first repeat, by description;
    `tried` includes those that tried examples of a craft job.

    Raises:
        UserError: no such sweep.
    """
    attack = AttackResultRecord
    with store.reading() as connection:
        number = None if sweep is None else sweep_id(connection, sweep)
        statement = _keeping(select(JobRecord.key, JobRecord.spec, attack.model_key, attack.n_examples, attack.example_order), tried=tried)
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
            count=json.loads(row.spec).get("keep_examples") or row.n_examples,
            order=row.example_order,
        )
        for row in rows
    ]
    return sorted(found, key=lambda item: (item.description, item.job_key))


def _keeping(selected: Select[*tuple[Any, ...]], *, tried: bool) -> Select[*tuple[Any, ...]]:
    """Of jobs those that keep examples, by the text of their specs: few do; where `tried`, also those that tried crafted ones."""
    attack = AttackResultRecord
    asks = and_(JobRecord.spec.like('%"keep_examples":%'), JobRecord.spec.not_like('%"keep_examples":0%'))
    if tried:
        asks = or_(asks, JobRecord.key.in_(select(JobParentRecord.child_key).where(JobParentRecord.role == "examples")))
    joined = selected.select_from(attack).join(JobRecord, JobRecord.key == attack.job_key)
    return joined.where(attack.repeat == 0, attack.split == "test", asks)
