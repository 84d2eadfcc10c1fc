"""A study's rungs: who stands where, who goes on, who is promoted. Kept as user attributes of trials, each decision written once."""

import warnings
from collections.abc import Mapping
from typing import Any

from optuna import Trial
from optuna.study import Study
from optuna.trial import FrozenTrial

from orchestrator.search.halving import Standing, best
from orchestrator.search.trial_index import IDENTITY
from search_spaces import SearchSection
from workers.errors import UserError

_RUNGS = "rungs"
PROMOTES = "promotes"
"""The user attribute of a trial that takes up an earlier one which was pruned: that one's number."""


def attribute(rung: int) -> str:
    """The user attribute in which a trial's decision on a rung is kept; people count rungs from 1.

    It is a mapping: `values` in the order of the objectives, `violation` of the constraints known there, `goes_on`, and the number of
    trials, `of`, among which it was decided.
    """
    return f"rung {rung + 1}"


class Rungs:
    """The rungs of a study. A decision is taken when a trial's values on the rung are known, written with them in one go, and read
    ever after; a trial that was not among the best and comes to be is enqueued anew, to go on. Whole results that were there before the
    search asked for them stand on no rung."""

    def __init__(self, study: Study, section: SearchSection) -> None:
        """Take the study of the section.

        Raises:
            UserError: its trials have stood on other rungs, on which values were others.
        """
        self._study, self._section = study, section
        _keep(study, [rung.model_dump_json(exclude_none=True) for rung in section.rungs])
        self._goals = [objective.goal for objective in section.objectives]

    def goes_on(self, trial: Trial, rung: int) -> bool | None:
        """What was decided; None where nothing was yet."""
        found = trial.user_attrs.get(attribute(rung))
        return None if found is None else bool(found["goes_on"])

    def decide(self, trial: Trial, rung: int, values: tuple[float, ...], violation: float) -> bool:
        """Whether the trial goes on, now that this is what it came to; whoever is to be promoted then is."""
        own = Standing(trial.number, values, violation)
        others = self._trials_on(rung, but=trial.user_attrs[IDENTITY])
        chosen = self._best([*(standing_of(trials[0], rung) for trials in others), own])
        self._report(trial, rung, values)
        decision = {"values": list(values), "violation": violation, "goes_on": own.number in chosen, "of": len(others) + 1}
        trial.set_user_attr(attribute(rung), decision)
        self._promote(others, rung, chosen)
        return own.number in chosen

    def promote(self, rung: int) -> None:
        """Promote whoever is to be and was not, since a kill came between; doing it again changes nothing."""
        every = self._trials_on(rung)
        self._promote(every, rung, self._best([standing_of(trials[0], rung) for trials in every]))

    def _best(self, standings: list[Standing]) -> frozenset[int]:
        chosen = best(standings, goals=self._goals, factor=self._section.reduction_factor)
        return frozenset(standing.number for standing in chosen)

    def _promote(self, every: list[list[FrozenTrial]], rung: int, chosen: frozenset[int]) -> None:
        """Enqueue those of the chosen ones that were not let on."""
        for first, *later in every:
            went_on = any(trial.user_attrs[attribute(rung)]["goes_on"] for trial in (first, *later))
            if first.number in chosen and not went_on:
                self._study.enqueue_trial(first.params, user_attrs=self._promotion(first, rung))

    def _promotion(self, pruned: FrozenTrial, rung: int) -> dict[str, Any]:
        decided = pruned.user_attrs[attribute(rung)]
        return {**inherited(pruned.user_attrs), attribute(rung): {**decided, "goes_on": True}, PROMOTES: pruned.number}

    def _trials_on(self, rung: int, *, but: str | None = None) -> list[list[FrozenTrial]]:
        """The trials that have come to the rung, those of one configuration together, the earliest first; all configurations but one."""
        found: dict[str, list[FrozenTrial]] = {}
        for trial in self._study.get_trials(deepcopy=False):
            if attribute(rung) in trial.user_attrs and trial.user_attrs[IDENTITY] != but:
                found.setdefault(trial.user_attrs[IDENTITY], []).append(trial)
        return list(found.values())

    def _report(self, trial: Trial, rung: int, values: tuple[float, ...]) -> None:
        """To Optuna a pruned trial of one objective is worth what it last reported; with several there is no reporting."""
        if len(values) == 1:
            with warnings.catch_warnings(action="ignore"):  # a kill may have come between this and writing the decision
                trial.report(values[0], rung + 1)


def _keep(study: Study, rungs: list[str]) -> None:
    held = study.user_attrs.get(_RUNGS, rungs)
    if held != rungs:
        raise UserError(
            f"sweep {study.study_name}: give the space another name, since trials have stood on its rungs: "
            f"they were: {', '.join(held)}; they are: {', '.join(rungs)}"
        )
    study.set_user_attr(_RUNGS, rungs)


def standing_of(trial: FrozenTrial, rung: int) -> Standing:
    """What a trial that was on the rung came to there."""
    decided = trial.user_attrs[attribute(rung)]
    return Standing(trial.number, tuple(decided["values"]), decided["violation"])


def inherited(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Of a trial's user attributes what holds for another trial of the same configuration too: the rungs that it has been on."""
    return {name: value for name, value in attributes.items() if name in (IDENTITY, PROMOTES) or name.startswith("rung ")}
