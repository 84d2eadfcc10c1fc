"""Reads of attacks that left a race before its last shard, or are still in it: what their shards come to so far."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import takewhile
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, Text, cast, select

from orchestrator.naming.own_settings import hashable
from orchestrator.store.connection.session import of_sweep
from orchestrator.store.reading.measured import SPENT, Measurement, Setting
from orchestrator.store.schema.result_tables import ShardResultRecord
from orchestrator.store.schema.sweep_tables import SweepEpsilonRecord, SweepJobRecord, SweepRecord
from workers.artifacts.outcomes import FlagsOutcome, unpack_flags
from workers.spec.attack import AFTER

_COMMON = ("model_key", "after", "knowledge", "source_key", "repeat", "split", "example_order", "of_examples", "batch_size", "draws")
_OF_ATTACK = frozenset(field.name for field in fields(Setting))


def stopped_attacks(connection: Connection, sweep: int | None, *, every_space: bool = False) -> list[Measurement]:
    """Return one measurement for each repeat of an attack not all of whose shards were made, on the first of them, in each sweep."""
    record = ShardResultRecord
    columns = [getattr(record, name) for name in (*_COMMON, "job_key", "first", "n_examples", "flags", *SPENT)]
    statement = select(
        SweepRecord.name.label("sweep"), SweepRecord.id.label("sweep_id"), cast(record.attack, Text).label("own"), record.attack, *columns
    )
    statement = of_sweep(statement.select_from(record), record.job_key, sweep, every_space=every_space)
    rows = connection.execute(statement.join(SweepRecord, SweepRecord.id == SweepJobRecord.sweep_id).order_by(record.first, record.job_key))
    groups: defaultdict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for row in rows:
        groups[(row.sweep_id, row.own, *(getattr(row, name) for name in _COMMON))].append(row)
    known = select(SweepEpsilonRecord.sweep_id, SweepEpsilonRecord.epsilon, SweepEpsilonRecord.literal)
    literals = {(row.sweep_id, row.epsilon): row.literal for row in connection.execute(known)} if groups else {}
    return [measured for shards in groups.values() for measured in _measured(shards, literals)]


def _measured(shards: Sequence[Row[Any]], literals: dict[tuple[int, float], str]) -> Iterator[Measurement]:
    """Yield the measurement of an attack from its shards, in their order; none if there is a gap before the first, or all are there."""
    ends = np.cumsum([row.n_examples for row in shards])
    shards = [row for row, _ in takewhile(lambda pair: pair[0].first == pair[1] - pair[0].n_examples, zip(shards, ends, strict=True))]
    if not shards or ends[len(shards) - 1] == shards[0].of_examples:
        return
    first, examples = shards[0], int(ends[len(shards) - 1])
    flags = np.concatenate([unpack_flags(row.flags, n_examples=row.n_examples, draws=row.draws) for row in shards], axis=1)
    attack = first.attack
    own = attack["settings"] | ({AFTER: first.after} if first.after else {})
    setting = Setting(
        **{name: value for name, value in attack.items() if name in _OF_ATTACK},
        attack_settings=tuple((name, hashable(value)) for name, value in sorted(own.items())),
        knowledge=first.knowledge,
        source_key=first.source_key,
        n_examples=examples,
        asked_examples=first.of_examples,
        evaluation_batch_size=first.batch_size,
        draws=first.draws,
        split=first.split,
        example_order=first.example_order,
    )
    spent: dict[str, Any] = {name: [getattr(row, name) for row in shards] for name in SPENT}
    in_all: dict[str, Any] = {name: None if None in values else sum(values) for name, values in spent.items()}
    yield Measurement(
        sweep=first.sweep,
        model_key=first.model_key,
        job_key=first.job_key,
        setting=setting,
        epsilon_literal=literals.get((first.sweep_id, attack["epsilon"]), attack["epsilon_literal"]),
        repeat=first.repeat,
        flags=FlagsOutcome.pack(flags).packed(),
        **in_all,
    )
