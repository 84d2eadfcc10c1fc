"""Trainings that stop early, and trainings that resume from them."""

from collections.abc import Iterable

from orchestrator.planning.training_chain import TrainingChain
from orchestrator.store.reading.finished_rungs import FinishedRungs
from workers.artifacts.artifacts import Artifacts
from workers.errors import StorageError
from workers.spec.job import Earlier, Job, TrainSpec


def total_epochs(trained: TrainingChain) -> int:
    """Return the total number of epochs of the model's last training."""
    spec = trained[_last_training(trained)].spec
    assert isinstance(spec, TrainSpec)  # noqa: S101 (a chain is made of them)
    return spec.training.epochs


def stop_early(trained: TrainingChain, *, until: int) -> TrainingChain:
    """Return a model's jobs with its last training stopped after `until` epochs; its ancestors, shared with other models, train to the end.

    If `until` is the schedule's number of epochs, the chain is unchanged.

    Raises:
        ValueError: the schedule has fewer epochs.
    """
    place = _last_training(trained)
    jobs = list(trained[:place])
    for job in trained[place:]:
        parents = dict.fromkeys(job.parents, jobs[-1]) if jobs else {}
        jobs.append(Job.of(TrainSpec(**dict(job.spec) | {"until": until}), **parents))
    return tuple(jobs)


def _last_training(trained: TrainingChain) -> int:
    return max(number for number, job in enumerate(trained) if job.stage != "defend")


def with_resume_points(jobs: Iterable[Job], rungs: FinishedRungs, artifacts: Artifacts) -> tuple[Job, ...]:
    """Return the jobs, each training with the furthest finished rung that it can resume from, if one has kept its checkpoint."""
    return tuple(_with_resume_point(job, rungs, artifacts) for job in jobs)


def _with_resume_point(job: Job, rungs: FinishedRungs, artifacts: Artifacts) -> Job:
    if not (isinstance(job.spec, TrainSpec) and rungs):
        return job
    before = (rung for rung in rungs.get(job.trunk_key, ()) if _is_before(rung, job.spec))
    try:
        found = next((rung for rung in before if artifacts.checkpoint_size(rung.key)), None)
    except StorageError:  # the training begins at its start, once the storage is available again
        found = None
    return job.model_copy(update={"resumes": found})


def _is_before(rung: Earlier, spec: TrainSpec) -> bool:
    return rung.epochs < spec.last_epoch
