"""Execution of one job: read its parents' artifacts, compute, write its own. Used under Ray, in process and on the command line."""

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from workers.artifacts.artifacts import Artifacts, JobFolder
from workers.artifacts.outcomes import Result
from workers.data.loading.remote import DataRoot
from workers.errors import ArtifactError, JobError, ShortOfMemoryError, SupersededError, UserError, describe
from workers.measure.resumable_loop import SAVE_SECONDS, ProgressFile
from workers.plugins import raised_at
from workers.progress import Report, say_nothing
from workers.runtime.environment import record_environment
from workers.runtime.job_context import JobContext
from workers.runtime.process_memory import is_shortage, keep_within, limited_memory, most_taken, shortage
from workers.runtime.ranks import computed_by_ranks
from workers.runtime.stages import Computed, compute
from workers.spec.job import Job
from workers.spec.stage_specs import TrainSpec
from workers.train import Checkpoint


@dataclass(frozen=True)
class RunSettings:
    """Paths and compute resources of a worker; they do not change a result's meaning.

    `artifacts` is a folder or a URL of fsspec, `data_root` too (a URL's files are kept on this machine, see `workers.data.loading.remote`).
    Unfinished evaluations, attacks and craftings are saved after a batch, at most every `save_seconds`. Of a GPU a job takes no more
    memory than its `gpu_share`; where that is short, `examples_per_pass` divides passes through the net, but no training's. A training
    is shared by so many `processes`, on a GPU each. A job whose process takes more than `most_memory` bytes of the machine's is ended.
    """

    artifacts: str | Path
    data_root: DataRoot = None
    device: str = "cpu"
    threads: int = 1
    save_seconds: float = SAVE_SECONDS
    gpu_share: float = 1.0
    examples_per_pass: int | None = None
    processes: int = 1
    most_memory: int | None = None


def run(job: Job, settings: RunSettings, *, attempt: str = "local", report: Report = say_nothing) -> Result:
    """Run `job` and write its artifact; a job that already has a result is not computed again.

    Args:
        job: the job; its parents' artifacts must be there.
        settings: places, device (`cpu`, `cuda`), CPU threads.
        attempt: a name for this execution, part of its temporary files' names; a unique suffix is added here.
        report: called after every training epoch, and after every batch of an evaluation, an attack or a crafting.

    Raises:
        ArtifactError: a parent's artifact is missing or corrupt.
        DataError: the data set is missing or corrupt.
        JobError: the job's result cannot be trusted.
        ShortOfMemoryError: the job needs more memory than it may use.
        StorageError: artifacts cannot be read or written.
        SupersededError: the job was assigned to another attempt meanwhile, which is not done yet.
    """
    artifacts = Artifacts(settings.artifacts)
    with suppress(ArtifactError):
        return artifacts.result(job.key)
    try:
        folder = artifacts.folder(job.key, attempt=f"{attempt}-{secrets.token_hex(4)}")
        return _compute(job, settings, artifacts, folder, report)
    except SupersededError:
        with suppress(ArtifactError):
            return artifacts.result(job.key)
        raise


def _device(name: str) -> torch.device:
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"device {name}: PyTorch {torch.__version__} finds no GPU here; use cpu")
    return torch.device(name)


def _compute(job: Job, settings: RunSettings, artifacts: Artifacts, folder: JobFolder, report: Report) -> Result:
    torch.set_num_threads(settings.threads)
    device = _device(settings.device)
    started = time.perf_counter()
    folder.begin(job)
    context = JobContext(job, artifacts, folder, settings.data_root, device, settings.save_seconds, settings.examples_per_pass)
    keep_within(device, share=settings.gpu_share)
    shared = settings.processes > 1 and job.stage in ("pretrain", "fine_tune")
    with limited_memory(settings.most_memory):
        outcome, files = _computed(context, settings, report, ranks=settings.processes if shared else 1)
    peak = most_taken(device) if settings.examples_per_pass is None and not shared else None
    digests = {name: folder.write(name, content) for name, content in files.items()}
    environment = record_environment(device, settings.threads)
    seconds = time.perf_counter() - started
    result = Result(key=job.key, seconds=seconds, peak_memory=peak, environment=environment, files=digests, outcome=outcome)
    first = folder.commit(result)
    if not (isinstance(job.spec, TrainSpec) and job.spec.is_rung):  # later rungs resume from a rung's checkpoint
        Checkpoint(folder).discard()
    ProgressFile(folder).discard()
    return first


def _computed(context: JobContext, settings: RunSettings, report: Report, *, ranks: int) -> Computed:
    try:
        if ranks > 1:
            return computed_by_ranks(context, report, size=ranks, attempt=context.folder.attempt, threads=settings.threads)
        return compute(context, report)
    except (ArtifactError, JobError, SupersededError, UserError):
        raise
    except Exception as error:
        if not is_shortage(error):
            if place := raised_at(error):
                raise JobError(f"{place}: {describe(error)}") from error
            raise
        said = shortage(context.job, context.device, share=settings.gpu_share, examples_per_pass=settings.examples_per_pass)
        raise ShortOfMemoryError(said) from error
