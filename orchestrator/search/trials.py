"""Trials of a search while they are under way, and the telling of their outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from optuna import Trial
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from orchestrator.search.optuna_storage import trial_id
from orchestrator.search.trial_index import DUPLICATE_OF, JOB_KEYS, KIND, MODEL_KEY, REASON
from orchestrator.search.trial_plan import Complete, Failed, Pruned, TrialOutcome, TrialPlan
from workers.spec.job import Job


@dataclass
class LiveTrial:
    """Trial under way. `jobs` are those of its stages so far, `pending` the keys of those it waits for, `stage` the jobs that are still to
    be handed out, `duplicates` later trials of the same configuration, which get the same outcome; `counts` towards `n_trials`."""

    trial: Trial
    identity: str
    plan: TrialPlan
    pending: set[str] = field(default_factory=set)
    jobs: Sequence[Job] = ()
    stage: Sequence[Job] = ()
    outcome: TrialOutcome | None = None
    duplicates: list[Trial] = field(default_factory=list)
    counts: bool = True


def tell(study: Study, trial: Trial, outcome: TrialOutcome, **attributes: object) -> None:
    """Tell the study the trial's outcome, with these user attributes. A trial that was told already is left unchanged."""
    try:
        for name, value in attributes.items():
            trial.set_user_attr(name, value)
        match outcome:
            case Complete():
                _complete(trial, outcome)
            case Failed(reason):
                trial.set_user_attr(REASON, reason)
                study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            case pruned:
                trial.set_user_attr(REASON, pruned.reason)
                study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)
    except UpdateFinishedTrialError:  # the database had accepted it before it seemed to fail
        return


def _complete(trial: Trial, outcome: Complete) -> None:
    """Store values and constraints as `Study.tell` and `Trial.set_constraint` do for a sampler that has nothing to add.

    Those two read the whole trial before each write: 24 statements to the database where these are 7.
    """
    storage, key = trial.storage, trial_id(trial.storage, trial.study, trial.number)
    for name, value in create_trial(values=list(outcome.values), constraints=dict(outcome.violations)).system_attrs.items():
        storage.set_trial_system_attr(key, name, value)
    storage.set_trial_state_values(key, TrialState.COMPLETE, list(outcome.values))


def tell_duplicate(study: Study, trial: Trial, original: FrozenTrial) -> None:
    """Tell the study that a trial has the outcome of the finished trial that it repeats."""
    shared = {name: original.user_attrs[name] for name in (MODEL_KEY, JOB_KEYS) if name in original.user_attrs}
    attributes = {KIND: "duplicate", DUPLICATE_OF: original.number, **shared}
    if original.state == TrialState.COMPLETE:
        tell(study, trial, Complete(tuple(original.values), original.constraints), **attributes)
        return
    reason = f"as trial {original.number}: {original.user_attrs.get(REASON, 'no reason given')}"
    tell(study, trial, Pruned(reason) if original.state == TrialState.PRUNED else Failed(reason), **attributes)
