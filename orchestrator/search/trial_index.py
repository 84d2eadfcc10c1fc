"""Index of a study's trials: the configurations that were tried, and those that count towards `n_trials`."""

import hashlib
from collections.abc import Iterable, Sequence

from optuna.study import Study
from optuna.trial import FrozenTrial

from workers.spec.job import Job
from workers.spec.stage_specs import EvaluateSpec, TrainSpec

IDENTITY, KIND, REASON, MODEL_KEY, JOB_KEYS = "identity", "kind", "reason", "model_key", "job_keys"
DUPLICATE_OF, RETRY_OF = "duplicate_of", "retry_of"
"""User attributes of a trial: see `TrialIndex`."""
PARENT, FAILED, FAILED_PARENT = "parent", "failed", "failed_parent"
_TO_RETRY = (FAILED, FAILED_PARENT)
WARM_START = "warm_start"
UNCOUNTED = (WARM_START, PARENT, FAILED_PARENT)


def identity_of(jobs: Iterable[Job]) -> str:
    """Return the identity of a trial's jobs: trials with equal identities are the same computation."""
    return hashlib.sha256(" ".join(sorted(job.key for job in jobs)).encode()).hexdigest()[:32]


def evaluated(jobs: Sequence[Job]) -> list[str]:
    """Return the keys of the models that are evaluated."""
    return [job.parents["model"] for job in jobs if isinstance(job.spec, EvaluateSpec)]


def tested_datasets(jobs: Sequence[Job]) -> list[str]:
    """Return the data set of each model that the jobs evaluate on its test split."""
    tested = {job.parents["model"] for job in jobs if isinstance(job.spec, EvaluateSpec) and job.spec.evaluation.split == "test"}
    return [job.spec.data.name for job in jobs if job.key in tested and isinstance(job.spec, TrainSpec)]


class TrialIndex:
    """Index of the distinct configurations of a study, by `identity`.

    A trial's user attribute `kind` is absent for an ordinary trial. It is `duplicate` where an earlier one has the same jobs
    (`duplicate_of` is its number), `warm_start` where its results existed before the study suggested it, `parent` where its model was
    trained for another trial's, `illegal` where the values are an invalid combination, `failed` where a job failed, `failed_parent`
    where that was a parent's. Ordinary and failed trials count towards `n_trials`, each once.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._by_identity: dict[str, int] = {}
        self._counted: set[str] = set()
        self._parents: set[str] = set()
        for trial in study.get_trials(deepcopy=False):
            if trial.state.is_finished():
                self._enter(trial)

    def _enter(self, trial: FrozenTrial) -> None:
        identity, kind = trial.user_attrs.get(IDENTITY), trial.user_attrs.get(KIND)
        if identity is None or kind in ("duplicate", "illegal"):
            return
        if kind in _TO_RETRY:
            self._count(identity, kind)
        else:
            self.begin(identity, trial.number, kind=kind)

    @property
    def counted(self) -> int:
        """Number of configurations that count towards `n_trials`."""
        return len(self._counted)

    @property
    def tried(self) -> int:
        """Number of configurations that were tried or existed before, without parents."""
        return len(self._by_identity) - len(self._parents)

    def knows(self, identity: str) -> bool:
        """Return whether a trial of this configuration was begun and is not to be retried."""
        return identity in self._by_identity

    def number_of(self, identity: str) -> int | None:
        """Return the number of the trial of this configuration; None where there is none."""
        return self._by_identity.get(identity)

    def begin(self, identity: str, number: int, *, kind: str | None = None) -> None:
        """Record a trial of a new configuration."""
        self._by_identity[identity] = number
        self._count(identity, kind)
        if kind == PARENT:
            self._parents.add(identity)

    def _count(self, identity: str, kind: str | None) -> None:
        if kind not in UNCOUNTED:
            self._counted.add(identity)

    def repeated(self) -> int:
        """Return how many trials in a row, up to the last one, had no new configuration."""
        trials = self._study.get_trials(deepcopy=False)
        kinds = [trial.user_attrs.get(KIND) for trial in trials if trial.state.is_finished()]
        return next((place for place, kind in enumerate(reversed(kinds)) if kind not in ("duplicate", "illegal")), len(kinds))

    def job_keys(self) -> set[str]:
        """Return the keys of the jobs of all trials; the jobs are in the store."""
        return {key for trial in self._study.get_trials(deepcopy=False) for key in trial.user_attrs.get(JOB_KEYS, ())}

    def to_retry(self) -> list[FrozenTrial]:
        """Return the latest trial of each configuration whose job failed, without a pending retry and without a later trial."""
        trials = self._study.get_trials(deepcopy=False)
        pending = {trial.user_attrs.get(IDENTITY) for trial in trials if not trial.state.is_finished()}
        failed = {trial.user_attrs[IDENTITY]: trial for trial in trials if trial.user_attrs.get(KIND) in _TO_RETRY}
        return [
            trial for identity, trial in failed.items() if self._by_identity.get(identity, -1) < trial.number and identity not in pending
        ]
