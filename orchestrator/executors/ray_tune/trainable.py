"""Trainable that Ray Tune runs in a worker process, which is reused with its caches: one attempt at a job, or at several short ones."""

from typing import Any

from orchestrator.executors.attempt import attempt_jobs
from workers.plugins import Archives


def run_job_trainable(config: dict[str, Any], plugins: Archives | None = None) -> None:
    """Run the jobs in `config` with the driver's plugins.

    Raises:
        AttemptFailedError: a job failed; Ray then discards the process.
    """
    from ray import tune

    attempt_jobs(config, plugins or {}, name=tune.get_context().get_trial_id(), send=tune.report)
