"""GPU memory of a cluster, queried on every node that has a GPU, since the driver's own machine may have none."""

from collections.abc import Mapping
from typing import Any

_SHARE = 0.001  # of a GPU, so that the query waits for no job
_SECONDS = 60.0


def smallest_gpu(*, seconds: float = _SECONDS) -> int | None:
    """Return the bytes of memory of the smallest of the cluster's GPUs, the first of each node; None without an answer in time."""
    import ray
    from ray.exceptions import GetTimeoutError, RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ask = ray.remote(num_cpus=0, num_gpus=_SHARE, max_retries=0)(_memory)
    nodes = [node["NodeID"] for node in ray.nodes() if _has_gpu(node)]
    asked = [ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote() for node in nodes]
    try:
        return min((answer for answer in ray.get(asked, timeout=seconds) if answer), default=None)
    except (GetTimeoutError, RayError):
        for task in asked:
            ray.cancel(task)
        return None


def _has_gpu(node: Mapping[str, Any]) -> bool:
    return bool(node["Alive"] and node["Resources"].get("GPU", 0) > 0)


def _memory() -> int:
    """Return the bytes of a worker process's GPU; 0 where PyTorch sees none."""
    import torch

    return int(torch.cuda.get_device_properties(0).total_memory) if torch.cuda.is_available() else 0
