"""Which waiting trial takes a worker that has just become free."""

import time
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

_PATIENCE_SECONDS = 20.0


class NewestFirst(FIFOScheduler):
    """Gives a free worker to the newest waiting trial, unless the oldest has waited for long.

    Tune asks for a new worker process for every waiting trial. Its own first-in-first-out rule hands a worker that becomes free to the
    oldest one and throws away the process that was starting for it: while jobs are shorter than a process takes to start (seconds),
    a sweep then never gets a second worker. The newest trial's process has not begun to start, so nothing is thrown away.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._waiting: dict[Trial, float] = {}

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:  # noqa: ARG002
        self._waiting[trial] = time.monotonic()

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:  # noqa: ARG002
        for trial in [trial for trial in self._waiting if trial.status != Trial.PENDING]:
            del self._waiting[trial]
        if not self._waiting:
            return None
        oldest, since = next(iter(self._waiting.items()))
        return oldest if time.monotonic() - since > _PATIENCE_SECONDS else next(reversed(self._waiting))

    def __getstate__(self) -> dict[str, Any]:
        """Tune's own state is never restored."""
        return {}
