"""Choice of the waiting trial that gets a worker when one becomes free."""

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from orchestrator.executors.ray_tune.ray_internals import forget_trials, without_process

_REMEMBERED = 500


class PreferUnstartedTrials(FIFOScheduler):
    """Scheduler that gives a free worker to the oldest waiting trial for which no process is being started.

    Tune requests a new worker process for every waiting trial. Its own first-in-first-out rule gives a worker that becomes free to the
    oldest one and discards the process that was starting for it: while jobs are shorter than the start of a process (seconds, and minutes
    where many start at once), a sweep then never gets its other workers. A trial that has not been assigned CPUs and GPUs for a process
    of its own loses nothing; it may wait for them for ever, so it comes first.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._waiting: list[Trial] = []

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:  # noqa: ARG002
        self._waiting.append(trial)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        self._waiting = [trial for trial in self._waiting if trial.status == Trial.PENDING]
        if not self._waiting:
            return None
        _forget_finished(tune_controller)
        return next(without_process(tune_controller, self._waiting), self._waiting[-1])

    def __getstate__(self) -> dict[str, Any]:
        """Return no state: Tune's own state is never restored."""
        return {}


def _forget_finished(tune_controller: Any) -> None:
    """Remove ended trials except the latest, once there are twice as many trials as are kept."""
    trials = tune_controller.get_trials()
    if len(trials) >= 2 * _REMEMBERED:
        forget_trials(tune_controller, {trial for trial in trials[:-_REMEMBERED] if trial.is_finished()})
