"""Trials of a search while they are under way, and the telling of their outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from optuna import Trial
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from orchestrator.search.optuna_storage import trial_id
from orchestrator.search.trial_index import JOB_KEYS, KIND, MODEL_KEY, REASON, TWIN
from orchestrator.search.trial_plan import Complete, Course, Failed, Pruned, Verdict
from workers.spec.job import Job


@dataclass
class LiveTrial:
    """Trial under way. `jobs` are those of its stages so far, `pending` the keys of those it waits for, `stage` the jobs that are still to
    be handed out, `twins` later trials of the same configuration, which get the same outcome; `counts`: it counts towards `n_trials`."""

    trial: Trial
    identity: str
    course: Course
    pending: set[str] = field(default_factory=set)
    jobs: Sequence[Job] = ()
    stage: Sequence[Job] = ()
    verdict: Verdict | None = None
    twins: list[Trial] = field(default_factory=list)
    counts: bool = True


def tell(study: Study, trial: Trial, verdict: Verdict, **attributes: object) -> None:
    """Tell the study the trial's outcome, with these user attributes. A trial that was told already is left unchanged."""
    try:
        for name, value in attributes.items():
            trial.set_user_attr(name, value)
        match verdict:
            case Complete():
                _complete(trial, verdict)
            case Failed(reason):
                trial.set_user_attr(REASON, reason)
                study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            case pruned:
                trial.set_user_attr(REASON, pruned.reason)
                study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)
    except UpdateFinishedTrialError:  # the database had accepted it before it seemed to fail
        return


def _complete(trial: Trial, verdict: Complete) -> None:
    """Store values and constraints as `Study.tell` and `Trial.set_constraint` do for a sampler that has nothing to add.

    Those two read the whole trial before each write: 24 statements to the database where these are 7.
    """
    storage, key = trial.storage, trial_id(trial.storage, trial.study, trial.number)
    for name, value in create_trial(values=list(verdict.values), constraints=dict(verdict.violations)).system_attrs.items():
        storage.set_trial_system_attr(key, name, value)
    storage.set_trial_state_values(key, TrialState.COMPLETE, list(verdict.values))


def tell_like(study: Study, trial: Trial, twin: FrozenTrial) -> None:
    """Tell the study that a trial has the outcome of its finished twin."""
    shared = {name: twin.user_attrs[name] for name in (MODEL_KEY, JOB_KEYS) if name in twin.user_attrs}
    attributes = {KIND: "duplicate", TWIN: twin.number, **shared}
    if twin.state == TrialState.COMPLETE:
        tell(study, trial, Complete(tuple(twin.values), twin.constraints), **attributes)
        return
    reason = f"as trial {twin.number}: {twin.user_attrs.get(REASON, 'no reason given')}"
    tell(study, trial, Pruned(reason) if twin.state == TrialState.PRUNED else Failed(reason), **attributes)
