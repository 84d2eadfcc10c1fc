"""Worst cases over attacks: their groups, and the scores of each model under the attacks that harm its examples most."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.naming.names import counted
from orchestrator.statistics.intervals import Correct
from orchestrator.statistics.worst_case import FEWEST_FOLDS, Scores, ordered_scores, worst_cases_of_each
from orchestrator.store.reading.measured import ANY, EVALUATION, KNOWLEDGES, WORST_CASE, Measurement, MeasurementGroup, Setting
from orchestrator.store.reading.values import ResultRow
from workers.artifacts.outcomes import unpack_each

_SAME_EPSILON = 1e-9


class Ensemble(NamedTuple):
    """Attacks on the same examples in the same ball: measurements of `attacks`, and of those that diagnoses made on the first of the
    examples, `probes`."""

    attacks: list[Measurement]
    probes: list[Measurement]


def ensembles(
    groups: Mapping[MeasurementGroup, Sequence[Measurement]], probes: Iterable[Measurement], pools: Mapping[str, str]
) -> dict[MeasurementGroup, Ensemble]:
    """Group the measurements of all attacks on the same examples in the same ball by knowledge, and over any if there are several.

    Attacks of a diagnosis join those of their knowledge, and those of any, where a model has attacks in the same ball on examples in the
    diagnosis's order, which is the balanced one of the test split.
    """
    found: defaultdict[MeasurementGroup, list[Measurement]] = defaultdict(list)
    knowledges: defaultdict[MeasurementGroup, set[str]] = defaultdict(set)
    for (sweep, model_key, setting, repeat), items in groups.items():
        evaluation = {name: getattr(setting, name) for name in ("norm", "epsilon", *EVALUATION)}
        every = (sweep, model_key, Setting(attack=WORST_CASE, knowledge=ANY, **evaluation), repeat)
        one = (sweep, model_key, Setting(attack=WORST_CASE, knowledge=setting.knowledge, **evaluation), repeat)
        knowledges[every].add(setting.knowledge)
        for group in (one, every):
            found[group] += items
    joining = _joining(found, probes, pools)
    for every, known in knowledges.items():
        known |= {probe.setting.knowledge for probe in joining[every]}
    return {group: Ensemble(items, joining[group]) for group, items in found.items() if len(knowledges.get(group, ())) != 1}


def _joining(
    groups: Iterable[MeasurementGroup], probes: Iterable[Measurement], pools: Mapping[str, str]
) -> dict[MeasurementGroup, list[Measurement]]:
    by_model: defaultdict[tuple[str, str], list[Measurement]] = defaultdict(list)
    for probe in probes:
        if probe.model_key in pools:
            by_model[probe.sweep, pools[probe.model_key]].append(probe)
    return {group: [probe for probe in by_model[group[0], group[1]] if _joins(probe.setting, group[2])] for group in groups}


def _joins(probe: Setting, ensemble: Setting) -> bool:
    same_ball = probe.norm == ensemble.norm and abs(probe.epsilon - ensemble.epsilon) <= _SAME_EPSILON
    same_order = (probe.split, probe.example_order) == (ensemble.split, ensemble.example_order)
    return same_ball and same_order and ensemble.knowledge in (probe.knowledge, ANY)


def worst_by_seed(
    groups: Mapping[MeasurementGroup, Ensemble], models: Mapping[str, Mapping[str, Any]]
) -> dict[MeasurementGroup, list[Correct] | None]:
    """Return the scores of each of a group's models under its worst attacks, by repeats and draws; None where one was evaluated too
    rarely. No knowledge alone leaves fewer right than all of them together."""
    found = _worst_cases(groups, models)
    for group in groups:
        if group[2].knowledge == ANY and models[group[1]]["randomised"]:
            _put_in_order(found, group)
    return {
        group: None if None in by_model.values() else [scores for scores, _ in filter(None, by_model.values())]
        for group, by_model in found.items()
    }


_Scored = dict[str, tuple[Scores, int] | None]
"""Scores of models, by key, under their worst attacks, and the number of these; None where a model was evaluated too rarely."""


@dataclass(frozen=True, slots=True)
class _Attacked:
    """A model of a group under its attacks: the packed flags of each, by setting; `more` are those of diagnoses."""

    flags: defaultdict[Setting, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    more: list[Measurement] = field(default_factory=list)

    def unpacked(self) -> tuple[list[NDArray[np.bool_]], list[NDArray[np.bool_]]]:
        """Return the flags of the attacks, (repeats, draws, examples) of each, and of the diagnoses' ones."""
        attacks = [unpack_each(flags, n_examples=setting.n_examples, draws=setting.draws) for setting, flags in self.flags.items()]
        return attacks, [probe.correct[None] for probe in self.more]


def _worst_cases(groups: Mapping[MeasurementGroup, Ensemble], models: Mapping[str, Mapping[str, Any]]) -> dict[MeasurementGroup, _Scored]:
    attacked: defaultdict[tuple[MeasurementGroup, str], _Attacked] = defaultdict(_Attacked)
    for group, ensemble in groups.items():
        for item in ensemble.attacks:
            attacked[group, item.model_key].flags[item.setting].append(item.flags)
        for probe in ensemble.probes:
            if (group, probe.model_key) in attacked:
                attacked[group, probe.model_key].more.append(probe)
    randomised = {group: models[group[1]]["randomised"] for group in groups}
    unpacked = ((group, one.unpacked()) for (group, _), one in attacked.items())
    scores = worst_cases_of_each((attacks, randomised[group], more) for group, (attacks, more) in unpacked)
    found: dict[MeasurementGroup, _Scored] = {group: {} for group in groups}
    for (group, key), one, known in zip(attacked, attacked.values(), scores, strict=True):
        found[group][key] = None if known is None else (known, len(one.flags) + len(one.more))
    return found


def _put_in_order(found: dict[MeasurementGroup, _Scored], every: MeasurementGroup) -> None:
    """Replace the scores of all knowledges together, model by model, and of those alone that are below them by luck."""
    sweep, pool, setting, repeat = every
    alone = {word: found.get((sweep, pool, replace(setting, knowledge=word), repeat), {}) for word in KNOWLEDGES if word != ANY}
    for key, together in found[every].items():
        parts = {word: scored for word, by_model in alone.items() if (scored := by_model.get(key)) is not None}
        if together is None or not parts:
            continue
        whole, moved = ordered_scores(together[0], parts)
        found[every][key] = whole, together[1]
        for word, scores in moved.items():
            alone[word][key] = scores, parts[word][1]


_BALL = ("sweep", "model_key", "knowledge", "norm", "epsilon", "n_examples", "evaluation_batch_size", "draws", "split", "example_order")


def with_single_attacks(worst: Sequence[ResultRow], read: Callable[[], Sequence[ResultRow]]) -> tuple[list[ResultRow], tuple[str, ...]]:
    """Return the worst cases, in place of those without a figure the attacks that they are over, and a note that says so.

    Args:
        worst: rows over attacks, and others.
        read: returns the rows of single attacks; asked only where a worst case has no figure.
    """
    unscored = [row for row in worst if _is_unscored(row)]
    if not unscored:
        return list(worst), ()
    singles: defaultdict[Hashable, list[ResultRow]] = defaultdict(list)
    for row in read():
        singles[_ball(row)].append(row)
    shown = [single for row in worst for single in (singles[_ball(row)] if _is_unscored(row) else [row])]
    return shown, (unscored_note(unscored),)


def unscored_note(unscored: Sequence[ResultRow]) -> str:
    """Return the line that says why these rows have no worst case."""
    models = len({row.model_key for row in unscored})
    few = f"too few draws to choose the worst attack per example: 1; at least {FEWEST_FOLDS}"
    over = "any knowledge" if all(row.knowledge == ANY for row in unscored) else "their attacks"
    return f"{counted(models, 'model')} without a worst case over {over}: {few} (`evaluation.draws` or `repeats`)"


def _is_unscored(row: ResultRow) -> bool:
    return row.attack == WORST_CASE and row.robust_accuracy is None


def _ball(row: ResultRow) -> Hashable:
    return tuple(getattr(row, name) for name in _BALL)
