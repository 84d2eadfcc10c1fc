"""Choice of the executor of a launch, where the user leaves it open."""

from typing import Literal

from orchestrator.executors.base import Resources, gpus_here

ExecutorName = Literal["auto", "ray", "processes", "inline"]


def choose_executor(resources: Resources, *, address: str | None, wait_minutes: float, in_memory: bool) -> ExecutorName:
    """Return the executor of a launch.

    Ray, for a cluster at an `address` or one to wait for, and where jobs share GPUs; else this machine's processes, whose first job
    begins some seconds earlier; this process alone (`inline`) where artifacts are `in_memory`.
    """
    if address is not None or wait_minutes > 0:
        return "ray"
    if in_memory:
        return "inline"
    asked = (resources.gpus_per_train, resources.gpus_per_attack)
    return "ray" if any(asked) or (None in asked and gpus_here()) else "processes"
