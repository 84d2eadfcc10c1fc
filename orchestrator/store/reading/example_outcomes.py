"""Reads about single examples, from the stored flags."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import null, select, union_all

from orchestrator.store.connection.session import Store
from orchestrator.store.reading.values import ResultRow
from orchestrator.store.schema.result_tables import AttackResultRecord, CleanResultRecord
from workers.artifacts.outcomes import unpack_flags
from workers.artifacts.per_example import ExampleNumbers, unpacked_classes, unpacked_numbers
from workers.errors import UserError


def success_probabilities(store: Store, of: ResultRow | Sequence[str]) -> NDArray[np.float64]:
    """Return the probability that an attack succeeds on each test example, (n_examples,): 1 - the share of evaluations, over all draws
    and repeats, in which the example was classified right. Of clean evaluations it is the probability of an error.

    Args:
        store: holds the flags.
        of: a row of the results, or the keys of the jobs to take together, which evaluated the same examples.

    Raises:
        UserError: a job has no flags in the store, there are no jobs, or they evaluated different numbers of examples.
    """
    shares: NDArray[np.float64] = 1 - np.concatenate(_evaluations(store, of)).mean(axis=0)
    return shares


def outcomes(store: Store, of: ResultRow | Sequence[str]) -> NDArray[np.bool_]:
    """Return flags, true where a test example was classified right in an evaluation, (jobs, draws, n_examples), in the order of the jobs.

    Args:
        store: holds the flags.
        of: a row of the results, whose jobs are its repeats, or the keys of jobs.

    Raises:
        UserError: a job has no flags in the store, there are no jobs, or they evaluated different numbers of examples or draws.
    """
    found = _evaluations(store, of)
    draws = sorted({len(correct) for correct in found})
    if len(draws) > 1:
        raise UserError(f"jobs with {' and '.join(map(str, draws))} draws: must have as many; ask for each alone")
    return np.stack(found)


def _evaluations(store: Store, of: ResultRow | Sequence[str]) -> list[NDArray[np.bool_]]:
    """Return the flags of every job, (draws, n_examples) each, over the same number of examples."""
    keys = of.job_keys if isinstance(of, ResultRow) else tuple(of)
    found = _flags(store, keys)
    missing = [key for key in keys if key not in found]
    if missing or not keys:
        raise UserError(f"job {missing[0]}: has no evaluations in the store" if missing else "no jobs to take evaluations from")
    sizes = sorted({correct.shape[1] for correct in found.values()})
    if len(sizes) > 1:
        raise UserError(f"jobs on {' and '.join(map(str, sizes))} examples: must be of the same examples")
    return [found[key] for key in keys]


def _flags(store: Store, keys: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Return the flags of those of the jobs that have any, (draws, n_examples) each."""
    columns = ("job_key", "flags", "n_examples", "draws")
    tables = (record.__table__ for record in (AttackResultRecord, CleanResultRecord))
    statement = union_all(*(select(*(table.c[name] for name in columns)).where(table.c.job_key.in_(keys)) for table in tables))
    with store.reading() as connection:
        rows = connection.execute(statement).all()
    return {key: unpack_flags(flags, n_examples=n_examples, draws=draws) for key, flags, n_examples, draws in rows}


def example_numbers(store: Store, job: str) -> ExampleNumbers:
    """Return the numbers of each test example in one evaluation or attack: see `PerExample`.

    Raises:
        UserError: the job has no evaluations in the store.
    """
    attack, clean = AttackResultRecord.__table__.c, CleanResultRecord.__table__.c
    of_attack = select(attack.classes, attack.margins, attack.sizes).where(attack.job_key == job)
    of_clean = select(clean.classes, clean.margins, null().label("sizes")).where(clean.job_key == job)
    with store.reading() as connection:
        row = connection.execute(of_attack).one_or_none() or connection.execute(of_clean).one_or_none()
    if row is None:
        raise UserError(f"job {job}: has no evaluations in the store")
    return ExampleNumbers(classes=unpacked_classes(row.classes), margins=unpacked_numbers(row.margins), sizes=unpacked_numbers(row.sizes))
