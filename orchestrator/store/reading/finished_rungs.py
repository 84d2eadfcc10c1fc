"""Reads of rungs: trainings that were stopped early, and that others can resume."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from orchestrator.store.connection.session import Store
from orchestrator.store.leases.leases import living_sweeps
from orchestrator.store.schema.result_tables import TrainedModelRecord
from orchestrator.store.schema.sweep_tables import JobParentRecord, JobRecord, SweepJobRecord
from workers.artifacts.artifacts import Artifacts
from workers.spec.job import Earlier
from workers.spec.keys import job_key

FinishedRungs = Mapping[str, Sequence[Earlier]]
"""Finished rungs of each trunk, by its key, the furthest first."""


def finished_rungs(store: Store) -> FinishedRungs:
    """Return all rungs that the store has."""
    with store.reading() as connection:
        return _finished(connection)


def _finished(connection: Connection) -> FinishedRungs:
    stopped = select(JobRecord.key, JobRecord.spec, TrainedModelRecord.until)
    stopped = stopped.join(TrainedModelRecord, TrainedModelRecord.job_key == JobRecord.key)
    stopped = stopped.where(TrainedModelRecord.until.is_not(None), JobRecord.stage != "defend")
    edges = select(JobParentRecord.child_key, JobParentRecord.role, JobParentRecord.parent_key)
    edges = edges.join(TrainedModelRecord, TrainedModelRecord.job_key == JobParentRecord.child_key)
    parents: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for child, role, parent in connection.execute(edges.where(TrainedModelRecord.until.is_not(None))):
        parents[child][role] = parent
    found: defaultdict[str, list[Earlier]] = defaultdict(list)
    for key, spec, until in connection.execute(stopped.order_by(TrainedModelRecord.until.desc(), JobRecord.key)):
        if until is not None:  # as asked for, which a type checker does not see
            found[job_key({**json.loads(spec), "until": None}, parents[key])].append(Earlier(key=key, epochs=until))
    return found


def spare_states(connection: Connection, artifacts: Artifacts) -> list[str]:
    """Return the rungs, sorted, whose kept training no job will resume: a further rung has kept its own, or the trunk is fully trained.

    Those that a running driver's sweep holds are not among them.
    """
    held = select(SweepJobRecord.job_key).where(SweepJobRecord.sweep_id.in_(living_sweeps(connection)))
    driven = frozenset(connection.execute(held).scalars())
    done = frozenset(connection.execute(select(JobRecord.key).where(JobRecord.state == "done")).scalars())
    spare: list[str] = []
    for trunk, rungs in _finished(connection).items():
        kept = [rung.key for rung in rungs if artifacts.checkpoint_size(rung.key)]
        spare += kept if trunk in done else kept[1:]
    return sorted(set(spare) - driven)
