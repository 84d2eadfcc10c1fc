"""Run one job: read its parents' artifacts, compute, write its own. The same function under Ray, in process and on the command line."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from workers.artifacts import Artifacts, JobFolder
from workers.course import SAVE_SECONDS, ProgressFile
from workers.environment import record_environment
from workers.errors import ArtifactError, UserError
from workers.reports import Report, say_nothing
from workers.results import Result
from workers.specs import Job, TrainSpec
from workers.stages import Room, compute
from workers.train import Checkpoint


@dataclass(frozen=True)
class Settings:
    """Where a worker finds and leaves things, and with what it computes; nothing here changes a result's meaning.

    Unfinished evaluations, attacks and craftings are saved after a batch, at most every `save_seconds`.
    """

    artifacts: Path
    data_root: Path | None = None
    device: str = "cpu"
    threads: int = 1
    save_seconds: float = SAVE_SECONDS


def run(job: Job, settings: Settings, *, attempt: str = "local", report: Report = say_nothing) -> Result:
    """Run `job` and leave its artifact; a job that has a result already is not computed again.

    Args:
        job: the job; its parents' artifacts must be there.
        settings: folders, device (`cpu`, `cuda`), CPU threads.
        attempt: a name for this execution, part of its temporary files' names.
        report: called after every training epoch, and after every batch of an evaluation, an attack or a crafting.

    Raises:
        ArtifactError: a parent's artifact is missing or corrupt.
        DataError: the data set is missing or corrupt.
        JobError: the job's result cannot be trusted.
    """
    artifacts = Artifacts(settings.artifacts)
    try:
        return artifacts.result(job.key)
    except ArtifactError:
        return _compute(job, settings, artifacts.folder(job.key, attempt=attempt), report)


def _device(name: str) -> torch.device:
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"device {name}: PyTorch {torch.__version__} sees no GPU here; use cpu")
    return torch.device(name)


def _compute(job: Job, settings: Settings, folder: JobFolder, report: Report) -> Result:
    torch.set_num_threads(settings.threads)
    device = _device(settings.device)
    started = time.perf_counter()
    folder.begin(job)
    room = Room(job, Artifacts(settings.artifacts), folder, settings.data_root, device, settings.save_seconds)
    outcome, files = compute(room, report)
    digests = {name: folder.write(name, content) for name, content in files.items()}
    environment = record_environment(device, settings.threads)
    result = Result(key=job.key, seconds=time.perf_counter() - started, environment=environment, files=digests, outcome=outcome)
    folder.commit(result)
    if not (isinstance(job.spec, TrainSpec) and job.spec.is_rung):  # a rung's is what others go on from
        Checkpoint(folder).discard()
    ProgressFile(folder).discard()
    return result
