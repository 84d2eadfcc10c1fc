"""Reads of rungs: trainings that were stopped early, and that others can resume."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from orchestrator.store.connection.session import Store
from orchestrator.store.leases.leases import living_sweeps
from orchestrator.store.reading.stored_specs import runnable_spec
from orchestrator.store.schema.result_tables import TrainedModelRecord
from orchestrator.store.schema.sweep_tables import JobParentRecord, JobRecord, SweepJobRecord
from workers.artifacts.artifacts import Artifacts
from workers.spec.job import Earlier, Job
from workers.spec.keys import KEY_VERSION

FinishedRungs = Mapping[str, Sequence[Earlier]]
"""Finished rungs of each trunk, by its key, the furthest first."""


def finished_rungs(store: Store) -> FinishedRungs:
    """Return all rungs that the store has."""
    with store.reading() as connection:
        return _finished(connection)


def _finished(connection: Connection) -> FinishedRungs:
    job = JobRecord
    stopped = select(job.key, job.spec, job.digests, TrainedModelRecord.until)
    stopped = stopped.join(TrainedModelRecord, TrainedModelRecord.job_key == job.key)
    stopped = stopped.where(TrainedModelRecord.until.is_not(None), job.stage != "defend", job.key_version == KEY_VERSION)
    edges = select(JobParentRecord.child_key, JobParentRecord.role, JobParentRecord.parent_key)
    edges = edges.join(TrainedModelRecord, TrainedModelRecord.job_key == JobParentRecord.child_key)
    parents: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for child, role, parent in connection.execute(edges.where(TrainedModelRecord.until.is_not(None))):
        parents[child][role] = parent
    found: defaultdict[str, list[Earlier]] = defaultdict(list)
    for key, text, digests, until in connection.execute(stopped.order_by(TrainedModelRecord.until.desc(), job.key)):
        if (spec := runnable_spec(text)) is not None and until is not None:
            trunk = Job(spec=spec, parents=parents[key], digests=digests or {}).trunk_key
            found[trunk].append(Earlier(key=key, epochs=until))
    return found


def spare_states(connection: Connection, artifacts: Artifacts) -> list[str]:
    """The rungs, sorted, whose kept training nothing will go on with: a further rung has kept its own, the trunk is trained to the end, or
    their keys are of an earlier version.

    Those that a running driver's sweep holds are not among them.
    """
    held = select(SweepJobRecord.job_key).where(SweepJobRecord.sweep_id.in_(living_sweeps(connection)))
    driven = frozenset(connection.execute(held).scalars())
    done = frozenset(connection.execute(select(JobRecord.key).where(JobRecord.state == "done")).scalars())
    rungs_of_old = select(JobRecord.key).join(TrainedModelRecord, TrainedModelRecord.job_key == JobRecord.key)
    rungs_of_old = rungs_of_old.where(TrainedModelRecord.until.is_not(None), JobRecord.key_version != KEY_VERSION)
    spare = [key for key in connection.execute(rungs_of_old).scalars() if artifacts.checkpoint_size(key)]
    for trunk, rungs in _finished(connection).items():
        kept = [rung.key for rung in rungs if artifacts.checkpoint_size(rung.key)]
        spare += kept if trunk in done else kept[1:]
    return sorted(set(spare) - driven)
