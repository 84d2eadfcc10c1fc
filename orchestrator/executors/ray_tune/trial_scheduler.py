"""Choice of the waiting trial that gets a worker when one becomes free."""

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

_REMEMBERED = 500


class SparesStarting(FIFOScheduler):
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
        # No public interface returns the actors that Tune has started, or makes it forget a trial.
        controller = tune_controller._tune_controller
        _forget_finished(controller)
        requested, not_started = controller._trial_to_actor, set(controller._actor_manager.pending_actors)
        without = (trial for trial in self._waiting if trial not in requested or requested[trial] in not_started)
        return next(without, self._waiting[-1])

    def __getstate__(self) -> dict[str, Any]:
        """Return no state: Tune's own state is never restored."""
        return {}


def _forget_finished(controller: Any) -> None:
    """Remove trials that ended long ago: Tune keeps every one, 27 kB each, to write a state that is never used."""
    if len(controller._trials) < 2 * _REMEMBERED:
        return
    ended = {trial for trial in controller._trials[:-_REMEMBERED] if trial.is_finished()}
    controller._trials[:] = [trial for trial in controller._trials if trial not in ended]
    for place in (controller._stopped_trials, controller._failed_trials, controller._trials_to_cache):
        place.difference_update(ended)
    for trial in ended:
        controller._trial_metadata.pop(trial.trial_id, None)
