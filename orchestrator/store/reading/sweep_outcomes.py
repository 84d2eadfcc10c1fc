"""Reads of the results of single jobs, as a search needs them: by their keys, regardless of the sweep that asked for them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from orchestrator.store.connection.lookup import chunks
from orchestrator.store.connection.session import Store
from orchestrator.store.schema.result_tables import AttackResultRecord, CleanResultRecord, CraftedExamplesRecord, TrainedModelRecord
from workers.artifacts.results import unpack_flags


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """Result of a job: its wall time, the parameters of a trained model, the flags (draws, examples) of an evaluation or attack."""

    seconds: float
    n_parameters: int | None = None
    correct: NDArray[np.bool_] | None = None


def job_outcomes(store: Store, keys: Iterable[str]) -> dict[str, JobOutcome]:
    """Return the outcomes of those of the jobs that train, evaluate, craft or attack, and whose results are recorded, by key."""
    asked = sorted(set(keys))
    with store.reading() as connection:
        return {key: outcome for chunk in chunks(asked) for key, outcome in _read(connection, chunk)}


def _read(connection: Connection, keys: Sequence[str]) -> Iterator[tuple[str, JobOutcome]]:
    for record in (CleanResultRecord, AttackResultRecord):
        flags = select(record.job_key, record.seconds, record.flags, record.n_examples, record.draws)
        for row in connection.execute(flags.where(record.job_key.in_(keys))):
            yield row.job_key, JobOutcome(row.seconds, correct=unpack_flags(row.flags, n_examples=row.n_examples, draws=row.draws))
    crafted = select(CraftedExamplesRecord.job_key, CraftedExamplesRecord.seconds).where(CraftedExamplesRecord.job_key.in_(keys))
    yield from ((key, JobOutcome(seconds)) for key, seconds in connection.execute(crafted))
    yield from _trained(connection, keys)


def _trained(connection: Connection, keys: Sequence[str]) -> Iterator[tuple[str, JobOutcome]]:
    columns: tuple[Any, ...] = TrainedModelRecord.job_key, TrainedModelRecord.seconds, TrainedModelRecord.n_parameters
    for row in connection.execute(select(*columns).where(TrainedModelRecord.job_key.in_(keys))):
        yield row.job_key, JobOutcome(row.seconds, n_parameters=row.n_parameters)
