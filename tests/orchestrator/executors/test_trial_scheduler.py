"""Choice of the waiting trial that takes a free worker."""

from types import SimpleNamespace

from ray.tune.experiment import Trial

from orchestrator.executors.ray_tune.trial_scheduler import PreferUnstartedTrials


class Controller:
    """As much of Tune's controller as the scheduler touches: which trial has asked for which actor, which of these are not started, and
    every place where it keeps trials. `test_ray_internals` has the real one."""

    def __init__(self) -> None:
        self.trials: list[Waiting] = []
        self.stopped: set[Waiting] = set()
        self.failed: set[Waiting] = set()
        self.to_save: set[Waiting] = set()
        self.requested: dict[object, str] = {}
        self.not_started: list[str] = []

    @property
    def shown(self) -> SimpleNamespace:
        """What Tune shows a scheduler."""
        manager = SimpleNamespace(pending_actors=self.not_started)
        places = {"_stopped_trials": self.stopped, "_failed_trials": self.failed, "_trials_to_cache": self.to_save}
        return SimpleNamespace(_trial_to_actor=self.requested, _actor_manager=manager, get_trials=lambda: self.trials, **places)


class Waiting:
    def __init__(self) -> None:
        self.status = Trial.PENDING
        self.trial_id = str(id(self))

    def is_finished(self) -> bool:
        return self.status in (Trial.ERROR, Trial.TERMINATED)


def queue_of(number: int) -> tuple[PreferUnstartedTrials, Controller, list[Waiting]]:
    queue, controller, trials = PreferUnstartedTrials(), Controller(), [Waiting() for _ in range(number)]
    for trial in trials:
        queue.on_trial_add(controller.shown, trial)
    return queue, controller, trials


def test_the_oldest_trial_without_a_process_takes_the_worker_and_those_whose_process_starts_keep_it() -> None:
    queue, controller, trials = queue_of(4)
    controller.requested = {trials[0]: "starting", trials[1]: "waits for a CPU", trials[2]: "waits too"}
    controller.not_started = ["waits for a CPU", "waits too"]
    assert queue.choose_trial_to_run(controller.shown) is trials[1]
    trials[1].status = Trial.RUNNING
    assert queue.choose_trial_to_run(controller.shown) is trials[2]


def test_a_trial_that_has_asked_for_nothing_yet_takes_the_worker() -> None:
    queue, controller, trials = queue_of(2)
    controller.requested = {trials[0]: "starting"}
    assert queue.choose_trial_to_run(controller.shown) is trials[1]


def test_where_every_process_is_starting_the_newest_is_given_up_before_a_worker_idles() -> None:
    queue, controller, trials = queue_of(2)
    controller.requested = {trials[0]: "starting", trials[1]: "starting too"}
    assert queue.choose_trial_to_run(controller.shown) is trials[1]


def test_nobody_waits() -> None:
    queue, controller, trials = queue_of(1)
    trials[0].status = Trial.TERMINATED
    assert queue.choose_trial_to_run(controller.shown) is None


def test_trials_that_ended_long_ago_are_forgotten_wherever_tune_keeps_them() -> None:
    queue, controller, (waiting,) = queue_of(1)
    old, running, new = [Waiting() for _ in range(700)], Waiting(), [Waiting() for _ in range(400)]
    controller.trials += [*old, running, *new, waiting]
    for place, trial in enumerate([*old, *new]):
        trial.status = Trial.ERROR if place % 7 == 0 else Trial.TERMINATED
        (controller.failed if place % 7 == 0 else controller.stopped).add(trial)
    controller.to_save |= set(controller.trials)
    running.status = Trial.RUNNING
    assert queue.choose_trial_to_run(controller.shown) is waiting
    assert controller.trials == [*old[602:], running, *new, waiting]
    assert controller.stopped | controller.failed == {*old[602:], *new}
    assert controller.to_save == set(controller.trials)
