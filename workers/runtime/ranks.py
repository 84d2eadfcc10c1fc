"""One training in several processes of this machine, each on a GPU of its own (on a CPU, in as many processes), by `torch.distributed`."""

import os
import queue
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed as dist
from torch import multiprocessing
from torch.multiprocessing.spawn import spawn

from workers.artifacts.artifacts import Artifacts
from workers.artifacts.outcomes import BatchRecord, EpochRecord
from workers.errors import JobError, UserError
from workers.files import folder_until_the_end
from workers.plugins import Archives, archives, job_from_json, receive
from workers.progress import Report, say_nothing
from workers.runtime.job_context import JobContext
from workers.runtime.stages import Computed, compute
from workers.spec.job import JOB
from workers.train.group import TrainingProcess

_LOOK_SECONDS = 0.1
_GRACE_SECONDS = 2.0
_SILENCE = timedelta(hours=1)
"""Time that a process waits for the others at a sum: not all take as long to read their data."""


@dataclass(frozen=True)
class _Task:
    """A training as it is sent to its processes; `meeting` is the file by which they find each other."""

    job: bytes
    plugins: Archives
    artifacts: str
    attempt: str
    context: dict[str, Any]
    threads: int
    size: int
    meeting: str


def computed_by_ranks(context: JobContext, report: Report, *, size: int, attempt: str, threads: int) -> Computed:
    """Compute a training in `size` processes with so many threads each; the first one saves its checkpoints and reports.

    Its result is equal to that of one process up to rounding. A process that ends before the others, for whatever reason, ends the
    attempt; the next one resumes from the last checkpoint.

    Raises:
        UserError: there are fewer GPUs.
        JobError: a process was killed; or what the computation raises.
    """
    if context.device.type == "cuda" and torch.cuda.device_count() < size:
        raise UserError(f"--gpus-per-train {size}: this machine has {torch.cuda.device_count()} GPUs")
    with folder_until_the_end(Path(tempfile.gettempdir()), prefix="robustsweep-ranks-") as folder:
        task = _Task(
            job=JOB.dump_json(context.job),
            plugins=archives(),
            artifacts=context.artifacts.url,
            attempt=attempt,
            context={"data_root": context.data_root, "device": context.device.type, "save_seconds": context.save_seconds},
            threads=threads,
            size=size,
            meeting=str(folder / "meeting"),
        )
        told: Any = multiprocessing.get_context("spawn").Queue()
        started: Any = spawn(_compute_part, args=(task, told), nprocs=size, join=False)
        processes = started.processes
        try:
            return _outcome(told, processes, report)
        finally:
            for process in processes:
                process.kill()
                process.join()


def _outcome(told: Any, processes: list[Any], report: Report) -> Computed:
    """Pass reports on until the first process has the outcome."""
    while True:
        try:
            message = told.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            _require_alive(processes)
            continue
        if isinstance(message, EpochRecord | BatchRecord):
            report(message)
        elif isinstance(message, Exception):
            _require_alive(processes, within=_GRACE_SECONDS)  # an error of the others may only be that one has died
            raise message
        else:
            computed: Computed = message
            return computed


def _require_alive(processes: list[Any], *, within: float = 0.0) -> None:
    """Check that no process has been killed, nor is within so many seconds.

    Raises:
        JobError: one has.
    """
    until = time.monotonic() + within
    while True:
        for rank, process in enumerate(processes):
            if process.exitcode is not None and process.exitcode < 0:
                raise JobError(f"process {rank + 1} of {len(processes)} of the training was killed (signal {-process.exitcode})")
            if process.exitcode is not None and process.exitcode > 0 and not within:
                raise JobError(f"process {rank + 1} of {len(processes)} of the training ended with exit code {process.exitcode}")
        if time.monotonic() >= until:
            return
        time.sleep(_LOOK_SECONDS)


def _compute_part(rank: int, task: _Task, told: Any) -> None:
    """Compute as one of the processes; the first tells the outcome, any of them an error."""
    torch.set_num_threads(task.threads)
    for library in ("GLOO", "NCCL"):
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", "lo")  # they talk to each other alone
    group = TrainingProcess(rank, task.size)
    try:
        computed = _joined(rank, task, group, told.put if group.leads else say_nothing)
    except Exception as error:
        told.put(_sendable(error))
    else:
        if group.leads:
            told.put(computed)
    told.close()
    told.join_thread()


def _joined(rank: int, task: _Task, group: TrainingProcess, report: Report) -> Computed:
    on_gpu = task.context["device"] == "cuda"
    device = torch.device("cuda", rank) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    receive(task.plugins)
    job, artifacts = job_from_json(task.job), Artifacts(task.artifacts)
    dist.init_process_group(
        "nccl" if on_gpu else "gloo", init_method=f"file://{task.meeting}", rank=rank, world_size=task.size, timeout=_SILENCE
    )
    try:
        folder = artifacts.folder(job.key, attempt=task.attempt)
        context = JobContext(job, artifacts, folder, task.context["data_root"], device, task.context["save_seconds"])
        return compute(replace(context, group=group), report)
    finally:
        dist.destroy_process_group()


def _sendable(error: Exception) -> Exception:
    """The error where it is one of ours, whose classes every process knows; another one in words."""
    known = type(error).__module__ in ("workers.errors", "builtins")
    return error if known else RuntimeError(f"{type(error).__name__}: {error}")
