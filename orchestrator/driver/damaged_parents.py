"""Recomputation of done jobs whose files prove to be damaged when another job needs them."""

from orchestrator.driver.recorder import Recorder
from orchestrator.driver.work_meter import WorkMeter
from orchestrator.scheduling.job_queue import JobQueue
from workers.spec.job import Job


def recreate_parent(parent: Job, *, child: Job, queue: JobQueue, recorder: Recorder, meter: WorkMeter) -> bool:
    """Have a parent computed again if its files are really damaged, and let the child wait for it; return whether the child waits."""
    done = queue.is_done(parent.key)
    if done and not recorder.discard_damaged(parent):
        return False
    if not queue.recreate(parent, child=child.key):
        return False
    if done:
        meter.expect_again(parent)
    return True
