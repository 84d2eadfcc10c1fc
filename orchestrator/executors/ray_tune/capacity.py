"""Capacity of the cluster: room for a job of the requested size, the number of jobs that run at once, and the memory of its GPUs."""

import time
from collections.abc import Callable

from orchestrator.executors.base import Resources
from workers.errors import UserError

_LOOK_SECONDS = 1.0
_SMALL_SHARE = 0.001  # of a GPU, so that asking for its memory waits for no job
_MEMORY_SECONDS = 60.0
Amounts = dict[str, float]


def wait_for_room(resources: Resources, *, minutes: float, say: Callable[[str], None]) -> Amounts:
    """Wait until one of the cluster's nodes can hold a job, requesting one from the autoscaler, and return the cluster's resources.

    Raises:
        UserError: no node can hold a job, `minutes` from now.
    """
    import ray
    from ray.autoscaler.sdk import request_resources

    if (wrong := lacking(resources)) is None:
        return dict(ray.cluster_resources())
    if minutes <= 0:
        raise UserError(wrong)
    say(f"waiting up to {minutes:g} minutes for a node that can hold a job; {wrong}")
    deadline = time.monotonic() + 60 * minutes
    request_resources(bundles=[_largest(resources)])
    try:
        while (wrong := lacking(resources)) is not None:
            if time.monotonic() > deadline:
                raise UserError(f"{wrong}, after {minutes:g} minutes of --wait-for-nodes")
            time.sleep(_LOOK_SECONDS)
    finally:
        request_resources(bundles=[])  # otherwise the autoscaler would keep that node for ever
    return dict(ray.cluster_resources())


def slots(resources: Resources, cluster: Amounts, *, growing: bool) -> int:
    """Return how many attack jobs, the most frequent ones, run at once. A growing cluster is assumed to grow to the requested `workers`."""
    if growing and resources.workers is not None:
        return resources.workers
    found = cluster.get("CPU", 1) / resources.cpus_per_job
    if gpus := resources.gpus("attack", available=cluster.get("GPU", 0) > 0):
        found = min(found, cluster.get("GPU", 0) / gpus)
    if resources.memory_per_job is not None:
        found = min(found, cluster.get("memory", 0) / resources.memory_per_job)
    return max(1, min(int(found), resources.workers or int(found)))


def smallest_gpu(*, seconds: float = _MEMORY_SECONDS) -> int | None:
    """Return the bytes of memory of the smallest of the cluster's GPUs, the first of each node; None without an answer in time.

    Every node that has a GPU is queried, since the driver's own machine may have none.
    """
    import ray
    from ray.exceptions import GetTimeoutError, RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ask = ray.remote(num_cpus=0, num_gpus=_SMALL_SHARE, max_retries=0)(_gpu_bytes)
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("GPU", 0) > 0]
    asked = [ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote() for node in nodes]
    try:
        return min((answer for answer in ray.get(asked, timeout=seconds) if answer), default=None)
    except (GetTimeoutError, RayError):
        for task in asked:
            ray.cancel(task)
        return None


def _largest(resources: Resources) -> Amounts:
    """Return the resources that the largest job needs on its node."""
    gpus = max(resources.gpus_per_train or 0, resources.gpus_per_attack or 0)
    memory = {} if resources.memory_per_job is None else {"memory": resources.memory_per_job}
    return {"CPU": resources.cpus_per_job} | ({"GPU": gpus} if gpus else {}) | memory


def lacking(resources: Resources) -> str | None:
    """Return the reason that no living node can hold a job; None where one can."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    wanted = _largest(resources)
    if any(all(node.get(name, 0) >= amount for name, amount in wanted.items()) for node in nodes):
        return None
    cpus, gpus = (max((node.get(name, 0) for node in nodes), default=0) for name in ("CPU", "GPU"))
    memory = max((node.get("memory", 0) for node in nodes), default=0)
    if wanted.get("memory", 0) > memory:
        return f"--memory-per-job {wanted['memory'] / 1e9:g}GB: no node of the cluster has more than {memory / 1e9:.3g} GB for jobs"
    if resources.cpus_per_job > cpus:
        return f"--cpus-per-job {resources.cpus_per_job}: no node of the cluster has more than {cpus:g} CPUs"
    if wanted.get("GPU", 0) > gpus:
        return f"{wanted['GPU']:g} GPUs requested for a job: no node of the cluster has more than {gpus:g}"
    return f"{wanted['GPU']:g} GPUs and {resources.cpus_per_job} CPUs requested for a job: no node of the cluster has both"


def _gpu_bytes() -> int:
    """Return the bytes of a worker process's GPU; 0 where PyTorch sees none."""
    import torch

    return int(torch.cuda.get_device_properties(0).total_memory) if torch.cuda.is_available() else 0
