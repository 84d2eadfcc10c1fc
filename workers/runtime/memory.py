"""Memory of the device that computes: how much a job may take, how much it took, and how its lack is told from other errors."""

import torch

from workers.spec.batch_size import CONTEXT_BYTES, batch_size
from workers.spec.job import Job, TrainSpec

_GIB = 1 << 30
_SAYING_SO = ("CUDA out of memory", "CUDA error: out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


def allowed_fraction(share: float, *, total: int) -> float:
    """The fraction of a GPU of `total` bytes that PyTorch may take for a job with this share of it, its context left out."""
    return 1.0 if share >= 1 else max(share / 2, share - CONTEXT_BYTES / total)


def keep_within(device: torch.device, *, share: float) -> None:
    """From now on a job on a shared GPU that asks for more than its share runs out of memory itself, instead of its neighbours; and what
    it takes is measured anew. Nothing on a CPU."""
    if device.type == "cuda":
        torch.cuda.empty_cache()  # what the process kept of the jobs before
        torch.cuda.set_per_process_memory_fraction(allowed_fraction(share, total=_total(device)), device.index)
        torch.cuda.reset_peak_memory_stats(device.index)


def most_taken(device: torch.device) -> int | None:
    """The most bytes of the GPU that PyTorch held at once since `keep_within`; None on a CPU, where that is not known."""
    return int(torch.cuda.max_memory_reserved(device.index)) if device.type == "cuda" else None


def is_shortage(error: Exception) -> bool:
    """Whether it is memory that was missing, of a GPU or of the machine."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in str(error) for words in _SAYING_SO)


def shortage(job: Job, device: torch.device, *, share: float, examples_per_pass: int | None) -> str:
    """What did not fit where, in one line, and what can be done about it where only the user can."""
    share_of = "" if share >= 1 else f"a share of {share:g} of "
    place = f"{share_of}a GPU of {_total(device) / _GIB:.1f} GiB" if device.type == "cuda" else "this machine"
    size = f"batch_size={batch_size(job.spec)}" + ("" if examples_per_pass is None else f" in passes of {examples_per_pass} examples")
    if isinstance(job.spec, TrainSpec):
        size += " (a training's batch cannot be divided without changing its result: take a smaller one, a smaller width, or a larger GPU)"
    return f"the memory of {place} is too small for {size}"


def _total(device: torch.device) -> int:
    return int(torch.cuda.get_device_properties(device).total_memory)
