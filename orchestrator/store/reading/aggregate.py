"""Aggregation of measurements (one per finished evaluation or attack) into result rows, independent of the database."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from statistics import fmean
from typing import Any

import numpy as np

from orchestrator.naming.own_settings import in_order, sortable
from orchestrator.statistics.confidence_sequence import drawn_values, sequence_interval
from orchestrator.statistics.intervals import ConfidenceInterval, Correct, intervals_over_seeds
from orchestrator.statistics.spread import Spread, standard_errors_of_each
from orchestrator.store.reading.counterparts import source_in_words
from orchestrator.store.reading.measured import EVALUATION, KNOWLEDGES, SPENT, WORST_CASE, Measurement, MeasurementGroup, Setting, fields_of
from orchestrator.store.reading.values import MeasuredModel, ResultRow
from orchestrator.store.reading.worst_cases import ensembles, worst_by_seed
from workers.artifacts.outcomes import unpack_each
from workers.registry import MODELS

_UNKNOWN = (None, None, None)
_UNCERTAIN = Spread()
_MOST_FLAGS = 4_000_000
"""Flags that are unpacked at once, a byte each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """Outcome of a group's measurements: its accuracy with the interval, and the standard errors."""

    interval: tuple[float, float, float] | tuple[None, None, None] = _UNKNOWN
    errors: Spread = _UNCERTAIN


_NOTHING = _Found()
_SETTING_FIELDS = tuple(field.name for field in fields(Setting))
_NORM_ORDER = {"none": -1, "linf": 0, "l2": 1}


def result_table(
    models: Mapping[str, Mapping[str, Any]],
    clean: Iterable[Measurement],
    attacks: Iterable[Measurement],
    *,
    per_repeat: bool,
    pools: Mapping[str, str] | None = None,
    worst: bool = False,
    probes: Iterable[Measurement] = (),
) -> list[ResultRow]:
    """Return the sorted rows; `models` holds, by key, the row's fields that belong to the model. Measurements of other models are left out.

    `pools` names, for each model, the one in whose rows it is counted, that one included; without it each has rows of its own. A source
    of transferred examples is pooled as any model is, and one that is not among the models is named by its key.
    With `worst` a row is over all attacks of a knowledge at one epsilon (see `worst_case`), or over those of every knowledge; the
    `probes`, attacks of diagnoses, count among them.
    """
    pools = {key: key for key in models} if pools is None else pools
    clean_groups = _grouped((item for item in clean if item.model_key in models), pools, per_repeat=per_repeat)
    attack_groups = _grouped((item for item in attacks if item.model_key in models), pools, per_repeat=per_repeat)
    together = ensembles(attack_groups, probes, pools) if worst else {}
    if worst:
        attack_groups = {group: ensemble.attacks for group, ensemble in together.items()}
    clean_found = _found(clean_groups, models)
    attack_found = _found(attack_groups, models, scores=worst_by_seed(together, models) if worst else None)
    of_attacks = {group: _clean_group(group, models[group[1]]) for group in attack_groups}
    attacked = {natural[:3] for natural in of_attacks.values()}
    rows = {
        group: _row(group, items, models[group[1]], clean_found.get(of_attacks[group], _NOTHING), attack_found[group], models)
        for group, items in attack_groups.items()
    }
    rows |= {group: replace(rows[group], attacks=rows[group].attacks + _most(one.probes)) for group, one in together.items()}
    rows |= {
        group: _row(group, items, models[group[1]], clean_found[group], _Found(errors=clean_found[group].errors), models)
        for group, items in clean_groups.items()
        if group[:3] not in attacked
    }
    of_models = {row.model_key: model_order(row) for row in {row.model_key: row for row in rows.values()}.values()}
    of_settings = {setting: _setting_order(setting) for setting in {setting for _, _, setting, _ in rows}}
    ordered = sorted(rows.items(), key=lambda item: _order(item[1], of_models[item[1].model_key], of_settings[item[0][2]]))
    return [row for _, row in ordered]


def _grouped(
    measurements: Iterable[Measurement], pools: Mapping[str, str], *, per_repeat: bool
) -> dict[MeasurementGroup, list[Measurement]]:
    groups = defaultdict(list)
    for item in measurements:
        groups[item.sweep, pools[item.model_key], _pooled(item.setting, pools), item.repeat if per_repeat else None].append(item)
    return {group: sorted(items, key=lambda item: (item.repeat, item.job_key)) for group, items in groups.items()}


def _pooled(setting: Setting, pools: Mapping[str, str]) -> Setting:
    """Replace the setting's source by that source's pool, so that seeds with a source of their own each are still pooled."""
    source = setting.source_key
    return setting if source is None or source not in pools else replace(setting, source_key=pools[source])


def _clean_group(group: MeasurementGroup, model: Mapping[str, Any]) -> MeasurementGroup:
    """Return the group with the clean accuracy for an attack: in the same repeat, or the only one of a model without randomness."""
    sweep, model_key, setting, repeat = group
    if repeat is not None and not model["randomised"]:
        repeat = 0
    evaluation = {name: getattr(setting, name) for name in EVALUATION}
    return sweep, model_key, Setting(**evaluation | {"n_examples": setting.asked_examples or setting.n_examples}), repeat


def _found(
    groups: Mapping[MeasurementGroup, Sequence[Measurement]],
    models: Mapping[str, Mapping[str, Any]],
    *,
    scores: Mapping[MeasurementGroup, Sequence[Correct] | None] | None = None,
) -> dict[MeasurementGroup, _Found]:
    """Return what each group comes to: by the `scores` of its models where there are any (nothing for None), or else by its flags."""
    found: dict[MeasurementGroup, _Found] = {}
    for portion in _portions(groups):
        of_groups = {group: _by_seed(groups[group]) if scores is None else scores[group] for group in portion}
        known = {group: by_seed for group, by_seed in of_groups.items() if by_seed is not None}
        intervals = intervals_over_seeds((by_seed, group[2].shared_draws) for group, by_seed in known.items())
        intervals = [
            interval if group[2].asked_examples is None else _anytime(by_seed, group[2], models[group[1]])
            for interval, (group, by_seed) in zip(intervals, known.items(), strict=True)
        ]
        errors = standard_errors_of_each(
            (by_seed, models[group[1]]["randomised"] or group[2].randomised) for group, by_seed in known.items()
        )
        of_known = zip(known, intervals, errors, strict=True)
        found |= dict.fromkeys(portion, _NOTHING) | {group: _Found(interval=interval, errors=own) for group, interval, own in of_known}
    return found


def _anytime(by_seed: Sequence[Correct], setting: Setting, model: Mapping[str, Any]) -> ConfidenceInterval:
    """Return the interval of an attack that left a race when its outcomes said so: one that holds whenever that is."""
    batch = setting.evaluation_batch_size if _shares_draws(model) else None
    values = np.mean([drawn_values(correct, batch=batch) for correct in by_seed], axis=0)
    return sequence_interval(values)


def _shares_draws(model: Mapping[str, Any]) -> bool:
    """Tell whether examples of a batch share what the model draws (`TrainSpec.shares_draws`), or may: the net is not installed here."""
    net = MODELS.find(model["model"])
    sketched = model["theta"] < 1 and model["model_options"].get("draws") != "example"
    return bool(model["randomised"]) and (net is None or net.facts.randomised or sketched)


def _portions(groups: Mapping[MeasurementGroup, Sequence[Measurement]]) -> Iterator[list[MeasurementGroup]]:
    """Yield the groups in parts whose flags, unpacked, take little memory."""
    portion: list[MeasurementGroup] = []
    flags = 0
    for group, items in groups.items():
        size = len(items) * group[2].n_examples * group[2].draws
        if portion and flags + size > _MOST_FLAGS:
            yield portion
            portion, flags = [], 0
        portion.append(group)
        flags += size
    if portion:
        yield portion


def _by_seed(items: Sequence[Measurement]) -> list[Correct]:
    """Return the flags of each of the models that were pooled, (repeats, draws, n_examples)."""
    by_model = defaultdict(list)
    for item in items:
        by_model[item.model_key].append(item.flags)
    size = {"n_examples": items[0].setting.n_examples, "draws": items[0].setting.draws}
    return [unpack_each(flags, **size) for flags in by_model.values()]


def _most(probes: Sequence[Measurement]) -> int:
    """The most attacks of diagnoses on one of the models."""
    return max(Counter(probe.model_key for probe in probes).values(), default=0)


def _metrics(items: Sequence[Measurement]) -> dict[str, float | None]:
    """The mean of each metric over the measurements that have a value of it."""
    known: dict[str, list[float]] = {name: [] for item in items for name in item.metrics}
    for item in items:
        for name, value in item.metrics.items():
            known[name] += [] if value is None else [value]
    return {name: fmean(values) if values else None for name, values in known.items()}


def _spent(items: Sequence[Measurement]) -> dict[str, Any]:
    """The means of an attack's costs over its measurements; None where one is not known."""
    found: dict[str, Any] = {}
    for name in SPENT:
        known = [getattr(item, name) for item in items]
        found[name] = None if None in known else fmean(known)
    return found


def _row(
    group: MeasurementGroup,
    items: Sequence[Measurement],
    model: Mapping[str, Any],
    clean: _Found,
    robust: _Found,
    models: Mapping[str, Mapping[str, Any]],
) -> ResultRow:
    """Return the row of a group from its measurements under the attack, and what they and those without attack come to."""
    sweep, model_key, setting, repeat = group
    times = Counter((item.model_key, item.setting) for item in items)
    seeds = Counter(key for key, _ in times)
    errors = robust.errors
    return ResultRow(
        sweep=sweep,
        model_key=model_key,
        job_keys=tuple([item.job_key for item in items]),
        epsilon_literal=items[0].epsilon_literal,
        repeat=repeat,
        repeats=min(times.values()),
        seeds=len(seeds),
        clean_accuracy=clean.interval[0],
        clean_ci_low=clean.interval[1],
        clean_ci_high=clean.interval[2],
        robust_accuracy=robust.interval[0],
        ci_low=robust.interval[1],
        ci_high=robust.interval[2],
        metrics={} if setting.attack == WORST_CASE else _metrics(items),
        **(_spent(items) if setting.attack != WORST_CASE else dict.fromkeys(SPENT)),
        attacks=max(seeds.values()) if setting.attack != "none" else 0,
        source=None if setting.source_key is None else source_in_words(models, of=model_key, source=setting.source_key),
        se_examples=errors.se_examples,
        se_draws=errors.se_draws,
        se_seeds=errors.se_seeds,
        **dict(zip(_SETTING_FIELDS, fields_of(setting), strict=True)) | {"attack_settings": dict(setting.attack_settings)},
        **model,
    )


def _order(row: ResultRow, of_model: tuple[Any, ...], of_setting: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the sort key of a row, from its model's and its attack's: models from the simplest sketch to the strongest, a dense one first,
    an undefended one before defended ones, one without adversarial training before those with it, binary ones last; attackers from the one
    who knows least, and of other models from the nearest; attacks from the weakest to the strongest."""
    words = (row.source or "").split()
    source = ("dense" in words, len(words), words, row.source_key or "")
    knowledge, *attack = of_setting
    return (row.sweep, *of_model, row.seed or 0, row.model_key, knowledge, source, *attack, -1 if row.repeat is None else row.repeat)


def _setting_order(setting: Setting) -> tuple[Any, ...]:
    """Return the part of a row's sort key that the attack decides, its knowledge first."""
    norm = (_NORM_ORDER.get(setting.norm, len(_NORM_ORDER)), setting.norm)
    names = [name for name in _SETTING_FIELDS if name not in ("source_key", "attack_settings")]
    settings = (in_order(dict(setting.attack_settings)), *(sortable(getattr(setting, name)) for name in names))
    return (KNOWLEDGES.get(setting.knowledge, len(KNOWLEDGES)), _strength(setting), norm, setting.epsilon, *settings)


def model_order(row: MeasuredModel) -> tuple[Any, ...]:
    """A key that sorts models from the simplest to the strongest, whatever they are called; see `_order`."""
    sketch = (row.rank_fraction or 0.0, -row.theta)
    defence = (row.defence != "none", row.defence, in_order(row.defence_settings))
    training = (row.adversarial_training != "none", row.adversarial_training)
    settings = tuple(sortable(value) for found in (row.training, row.fine_tuning) for value in (found or {}).values())
    return (row.dataset, row.model, in_order(row.model_settings), row.binary, *sketch, *defence, *training, settings)


def _strength(setting: Setting) -> tuple[Hashable, ...]:
    """A key that sorts attacks by their facts: none, noise, one step, many, from a random start, that compare points, without gradients;
    then by name, and several together last."""
    several, one_step, gradients = setting.attack == WORST_CASE, bool(setting.one_step), setting.takes_gradients is not False
    return (
        several,
        setting.attack != "none",
        not one_step,
        gradients == one_step,
        bool(setting.selects),
        bool(setting.random_start),
        setting.attack,
    )
