"""Memory of the compute device: limit per job, peak use, and recognition of out-of-memory errors."""

import torch

from workers.spec.batch_size import CONTEXT_BYTES, batch_size
from workers.spec.job import Job, TrainSpec

_GIB = 1 << 30
_SAYING_SO = ("CUDA out of memory", "CUDA error: out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


def allowed_fraction(share: float, *, total: int) -> float:
    """Return the fraction of a GPU of `total` bytes that PyTorch may take for a job with this share of it, excluding CUDA's context."""
    return 1.0 if share >= 1 else max(share / 2, share - CONTEXT_BYTES / total)


def keep_within(device: torch.device, *, share: float) -> None:
    """Limit a job to its share of a GPU, so that it runs out of memory itself instead of the jobs that share the GPU, and reset the peak
    memory. Does nothing on a CPU."""
    if device.type == "cuda":
        torch.cuda.empty_cache()  # memory that the process cached for earlier jobs
        torch.cuda.set_per_process_memory_fraction(allowed_fraction(share, total=_total(device)), device.index)
        torch.cuda.reset_peak_memory_stats(device.index)


def most_taken(device: torch.device) -> int | None:
    """Return the peak number of bytes of the GPU that PyTorch held since `keep_within`; None on a CPU, where it is unknown."""
    return int(torch.cuda.max_memory_reserved(device.index)) if device.type == "cuda" else None


def is_shortage(error: Exception) -> bool:
    """Tell whether the error means that a GPU or the machine is out of memory."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in str(error) for words in _SAYING_SO)


def shortage(job: Job, device: torch.device, *, share: float, examples_per_pass: int | None) -> str:
    """Describe in one line what did not fit into which memory, and the remedy where only the user can apply it."""
    share_of = "" if share >= 1 else f"a share of {share:g} of "
    place = f"{share_of}a GPU of {_total(device) / _GIB:.1f} GiB" if device.type == "cuda" else "this machine"
    size = f"batch_size={batch_size(job.spec)}" + ("" if examples_per_pass is None else f" in passes of {examples_per_pass} examples")
    if isinstance(job.spec, TrainSpec):
        size += " (a training's batch cannot be divided without changing its result: take a smaller one, a smaller width, or a larger GPU)"
    return f"the memory of {place} is too small for {size}"


def _total(device: torch.device) -> int:
    return int(torch.cuda.get_device_properties(device).total_memory)
