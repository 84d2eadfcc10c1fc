"""Rungs of a study: decisions and promotions of trials, kept as user attributes of trials. Each decision is written once."""

import warnings
from collections.abc import Mapping
from typing import Any

from optuna import Trial
from optuna.study import Study
from optuna.trial import FrozenTrial

from orchestrator.search.halving import RungResult, best
from orchestrator.search.trial_index import IDENTITY
from search_spaces import SearchSection
from workers.errors import UserError

_RUNGS = "rungs"
PROMOTES = "promotes"
"""User attribute of a trial that continues an earlier one which was pruned: the earlier one's number."""


def attribute(rung: int) -> str:
    """Return the user attribute that holds a trial's decision on a rung; its name counts rungs from 1.

    It is a mapping: `values` in the order of the objectives, `violation` of the constraints known there, `goes_on`, and the number of
    trials, `of`, among which it was decided.
    """
    return f"rung {rung + 1}"


class RungTable:
    """Rungs of a study. A decision is made when a trial's values on the rung are known, written together with them, and afterwards only
    read; a trial that was not among the best and becomes so is enqueued again, to continue. Warm-started trials, whose full results
    existed before the search suggested them, are on no rung."""

    def __init__(self, study: Study, section: SearchSection) -> None:
        """Use the study of the section.

        Raises:
            UserError: its trials were measured on other rungs, whose values are not comparable.
        """
        self._study, self._section = study, section
        _keep(study, [rung.model_dump_json(exclude_none=True) for rung in section.rungs])
        self._goals = [objective.goal for objective in section.objectives]

    def goes_on(self, trial: Trial, rung: int) -> bool | None:
        """Return the decision; None where there is none yet."""
        found = trial.user_attrs.get(attribute(rung))
        return None if found is None else bool(found["goes_on"])

    def decide(self, trial: Trial, rung: int, values: tuple[float, ...], violation: float) -> bool:
        """Record the trial's values on the rung and promote other trials as needed; return whether the trial continues."""
        own = RungResult(trial.number, values, violation)
        others = self._trials_on(rung, but=trial.user_attrs[IDENTITY])
        chosen = self._best([*(rung_result(trials[0], rung) for trials in others), own])
        self._report(trial, rung, values)
        decision = {"values": list(values), "violation": violation, "goes_on": own.number in chosen, "of": len(others) + 1}
        trial.set_user_attr(attribute(rung), decision)
        self._promote(others, rung, chosen)
        return own.number in chosen

    def promote(self, rung: int) -> None:
        """Promote the trials whose promotion was prevented by a kill; idempotent."""
        every = self._trials_on(rung)
        self._promote(every, rung, self._best([rung_result(trials[0], rung) for trials in every]))

    def _best(self, results: list[RungResult]) -> frozenset[int]:
        chosen = best(results, goals=self._goals, factor=self._section.reduction_factor)
        return frozenset(result.number for result in chosen)

    def _promote(self, every: list[list[FrozenTrial]], rung: int, chosen: frozenset[int]) -> None:
        """Enqueue those of the chosen trials that have not continued."""
        for first, *later in every:
            went_on = any(trial.user_attrs[attribute(rung)]["goes_on"] for trial in (first, *later))
            if first.number in chosen and not went_on:
                self._study.enqueue_trial(first.params, user_attrs=self._promotion(first, rung))

    def _promotion(self, pruned: FrozenTrial, rung: int) -> dict[str, Any]:
        decided = pruned.user_attrs[attribute(rung)]
        return {**inherited(pruned.user_attrs), attribute(rung): {**decided, "goes_on": True}, PROMOTES: pruned.number}

    def _trials_on(self, rung: int, *, but: str | None = None) -> list[list[FrozenTrial]]:
        """Return the trials on the rung, grouped by configuration, the earliest first, without the configuration `but`."""
        found: dict[str, list[FrozenTrial]] = {}
        for trial in self._study.get_trials(deepcopy=False):
            if attribute(rung) in trial.user_attrs and trial.user_attrs[IDENTITY] != but:
                found.setdefault(trial.user_attrs[IDENTITY], []).append(trial)
        return list(found.values())

    def _report(self, trial: Trial, rung: int, values: tuple[float, ...]) -> None:
        """Report the value to Optuna, which uses the last one of a pruned trial; Optuna has no reports with several objectives."""
        if len(values) == 1:
            with warnings.catch_warnings(action="ignore"):  # a kill may have come between this and writing the decision
                trial.report(values[0], rung + 1)


def _keep(study: Study, rungs: list[str]) -> None:
    held = study.user_attrs.get(_RUNGS, rungs)
    if held != rungs:
        raise UserError(
            f"sweep {study.study_name}: give the space another name, since its trials were measured on its rungs: "
            f"they were: {', '.join(held)}; they are: {', '.join(rungs)}"
        )
    study.set_user_attr(_RUNGS, rungs)


def rung_result(trial: FrozenTrial, rung: int) -> RungResult:
    """Return the result of a trial on a rung that it has reached."""
    decided = trial.user_attrs[attribute(rung)]
    return RungResult(trial.number, tuple(decided["values"]), decided["violation"])


def inherited(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a trial's user attributes that also hold for another trial of the same configuration: its rungs."""
    return {name: value for name, value in attributes.items() if name in (IDENTITY, PROMOTES) or name.startswith("rung ")}
