"""GPU shares of jobs, and the order in which jobs may request them."""

from collections import Counter
from itertools import takewhile

from orchestrator.executors.base import Resources
from orchestrator.executors.memory_retry import RetryLimits
from orchestrator.executors.ray_tune.gpu_packing import GpuPacking
from workers.spec.job import Job
from workers.spec.stage_specs import TrainSpec

_MOST_OVERTAKEN = 16


class GpuAllocator:
    """Shares of a cluster's GPUs: those that the user requests, else those that `packing` finds.

    Args:
        resources: shares that the user requests.
        packing: shares of jobs for which the user requests none.
        gpus: number of GPUs.
        slots: number of jobs that run at once where each has a whole GPU, or the share that the user requests.
        most: number of jobs that run at once where each has the smallest share.
    """

    def __init__(self, resources: Resources, packing: GpuPacking, *, gpus: float, slots: int, most: int) -> None:
        self._resources, self._packing = resources, packing
        self._gpus, self._slots, self._most = gpus, slots, most
        self._under_way: dict[str, float] = {}
        self._queue = FairQueue()

    def share(self, job: Job, model: TrainSpec | None, terms: RetryLimits) -> float:
        """Return the job's share of a GPU; one that ran out of memory gets a whole GPU."""
        share = self._resources.asked(job.stage)
        if share is None:
            share = self._packing.share(job.spec, model) if self._gpus else 0.0
        return max(share, 1.0) if terms.whole and share > 0 else share

    @property
    def slots(self) -> int:
        """Number of jobs that run at once, if they are as large as those under way."""
        if not (taken := sum(self._under_way.values())):
            return self._slots
        return min(self._most, max(self._slots, int(self._gpus * len(self._under_way) / taken)))

    @property
    def accepts_requests(self) -> bool:
        """True where another job may request a share: not while as many wait as run at once, or one has been overtaken too often."""
        return len(self._queue) < self.slots and not self._queue.blocked

    def request(self, trial: str, share: float) -> None:
        self._under_way[trial] = share
        self._queue.add(trial, share)

    def begin(self, trial: str) -> None:
        """Record that the trial has got its share."""
        self._queue.serve(trial)

    def release(self, trial: str) -> None:
        """Record that the trial no longer needs its share."""
        self._under_way.pop(trial, None)
        self._queue.remove(trial)

    def learn(self, job: Job, model: TrainSpec | None, peak_memory: int | None) -> None:
        """Record that the job is done and took `peak_memory` bytes of a GPU; None where that is unknown."""
        if model is not None and peak_memory is not None:
            self._packing.learn(job.spec, model, peak_memory)


class FairQueue:
    """Queue that prevents requests for small shares of a GPU from starving larger ones: a free eighth is taken at once, so that a whole GPU
    is never free while eighths are requested. After `most` smaller jobs have overtaken a job, no new requests are admitted.
    """

    def __init__(self, *, most: int = _MOST_OVERTAKEN) -> None:
        self._most = most
        self._waiting: dict[str, float] = {}
        self._overtaken: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return the number of waiting requests."""
        return len(self._waiting)

    def add(self, trial: str, share: float) -> None:
        self._waiting[trial] = share

    def serve(self, trial: str) -> None:
        """Record that the trial has got its share, and has overtaken earlier requests for larger ones."""
        share = self._waiting.get(trial, 0.0)
        for other in takewhile(lambda name: name != trial, self._waiting):
            self._overtaken[other] += self._waiting[other] > share
        self.remove(trial)

    def remove(self, trial: str) -> None:
        """Remove the trial's request."""
        self._waiting.pop(trial, None)
        self._overtaken.pop(trial, None)

    @property
    def blocked(self) -> bool:
        """True where no new request is admitted."""
        return any(number >= self._most for number in self._overtaken.values())
