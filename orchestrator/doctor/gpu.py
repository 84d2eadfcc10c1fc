"""Checks that torch sees the GPUs that are there."""

from pathlib import Path

from orchestrator.doctor.check_result import CheckResult
from orchestrator.doctor.disk import GIB

_DEVICE = Path("/dev/nvidia0")


def check_gpus(*, expected: float | None = None) -> list[CheckResult]:
    """Check the GPUs in one line; `expected` is the number of GPUs that Ray hands out here (None: as many as there are)."""
    import torch

    seen = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    listed = ", ".join(f"{gpu.name} ({gpu.total_memory / GIB:.0f} GiB)" for gpu in seen)
    if not seen:
        return [_none_seen(torch.__version__, expected)]
    if expected is not None and expected < len(seen):
        return [
            CheckResult("warning", "GPU", f"{listed}; Ray hands out {expected:g}", "start the node's Ray with --num-gpus, to use them all")
        ]
    if expected is not None and expected > len(seen):
        return [
            CheckResult("wrong", "GPU", f"{listed}; Ray hands out {expected:g}", "start the node's Ray with as many --num-gpus as it has")
        ]
    return [CheckResult("ok", "GPU", listed)]


def _none_seen(torch_version: str, expected: float | None) -> CheckResult:
    advice = "install a CUDA build of torch that fits the driver (`nvidia-smi` shows the CUDA version that it supports)"
    if expected:
        return CheckResult("wrong", "GPU", f"torch {torch_version} sees none, and Ray hands out {expected:g}", advice)
    if _DEVICE.exists():
        return CheckResult(
            "warning", "GPU", f"torch {torch_version} sees none, though {_DEVICE} is there: jobs would run on the CPU", advice
        )
    return CheckResult("ok", "GPU", "none: jobs run on the CPU")
