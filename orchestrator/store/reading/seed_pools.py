"""Groups of trained models that were made alike except for their training seed."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, get_args

from sqlalchemy import Connection, select

from orchestrator.store.reading.stored_specs import stored_spec
from orchestrator.store.schema.sweep_tables import JobParentRecord, JobRecord
from workers.spec.fields import TrainingStage
from workers.spec.job import TrainSpec
from workers.spec.keys import job_key

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
