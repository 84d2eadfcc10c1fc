"""Aggregation of measurements (one per finished evaluation or attack) into result rows, independent of the database."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.own_settings import in_order, sortable
from orchestrator.statistics.intervals import Correct, intervals_over_seeds
from orchestrator.statistics.shared_luck import SharedDraws
from orchestrator.statistics.spread import Spread, standard_errors_of_each
from orchestrator.statistics.worst_case import Scores, ordered_scores, worst_case
from orchestrator.store.reading.counterparts import source_in_words
from orchestrator.store.reading.values import MeasuredModel, ResultRow
from workers.artifacts.results import unpack_each, unpack_flags
from workers.spec.fields import CRAFTED

Own = tuple[tuple[str, Any], ...]
"""An attack's own settings, sorted by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """The attack that was measured (all defaults: none), its facts, the split, the numbers of examples and draws, the size of batches."""

    attack: str = "none"
    knowledge: str = "none"
    source_key: str | None = None
    norm: str = "none"
    epsilon: float = 0.0
    attack_settings: Own = ()
    takes_gradients: bool | None = False
    random_start: bool | None = False
    selects: bool | None = False
    one_step: bool | None = False
    loss: str | None = "none"
    target: str = "none"
    restarts: int = 0
    eot_samples: int = 0
    selection_draws: int = 0
    early_stop: bool = False
    backend: str = "none"
    sign_gradient: str = "identity"
    n_examples: int
    evaluation_batch_size: int
    draws: int = 1
    split: str = "test"
    example_order: str = "balanced"

    @property
    def randomised(self) -> bool:
        """True where the attack itself draws each time it is measured (crafted examples were made once), and where that is not known."""
        return (self.random_start is not False or self.restarts > 1 or self.target == "random") and self.knowledge not in CRAFTED

    @property
    def shared_draws(self) -> SharedDraws:
        """What shares a draw of a randomised model: a batch, also while it is attacked by one who does not craft on full weights."""
        return SharedDraws(batch=self.evaluation_batch_size, crafted=self.attack != "none" and self.knowledge not in CRAFTED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One finished evaluation or attack of a model in a sweep; `flags` are packed bits."""

    sweep: str
    model_key: str
    job_key: str
    setting: Setting
    epsilon_literal: str = "0"
    repeat: int
    flags: bytes
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    forward_passes: int | None = None
    backward_passes: int | None = None
    queries: int | None = None

    @property
    def correct(self) -> NDArray[np.bool_]:
        """The flags, (draws, n_examples)."""
        return unpack_flags(self.flags, n_examples=self.setting.n_examples, draws=self.setting.draws)


SPENT = ("forward_passes", "backward_passes", "queries")
"""Costs of an attack; see `Spent`."""
WORST_CASE, ANY = "worst_case", "any"
"""The attack and the knowledge of a row over several attacks, and over attacks of more than one knowledge."""

Group = tuple[str, str, Setting, int | None]
_UNKNOWN = (None, None, None)
_UNCERTAIN = Spread()
_MOST_FLAGS = 4_000_000
"""Flags that are unpacked at once, a byte each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """What a group's measurements come to: its accuracy with the interval, and the standard errors."""

    interval: tuple[float, float, float] | tuple[None, None, None] = _UNKNOWN
    errors: Spread = _UNCERTAIN


_NOTHING = _Found()
_SETTING_FIELDS = tuple(field.name for field in fields(Setting))
_EVALUATION = ("n_examples", "evaluation_batch_size", "draws", "split", "example_order")
_KNOWLEDGE_ORDER = {"none": -1, "transfer": 0, "randomized": 1, "eot": 2, "omniscient": 3, ANY: 9}
_NORM_ORDER = {"none": -1, "linf": 0, "l2": 1}


def result_table(
    models: Mapping[str, Mapping[str, Any]],
    clean: Iterable[Measurement],
    attacks: Iterable[Measurement],
    *,
    per_repeat: bool,
    pools: Mapping[str, str] | None = None,
    worst: bool = False,
) -> list[ResultRow]:
    """Return the sorted rows; `models` holds, by key, the row's fields that belong to the model. Measurements of other models are left out.

    `pools` names, for each model, the one in whose rows it is counted, that one included; without it each has rows of its own. A source
    of transferred examples is pooled as any model is, and one that is not among the models is named by its key.
    With `worst` a row is over all attacks of a knowledge at one epsilon (see `worst_case`), or over those of every knowledge.
    """
    pools = {key: key for key in models} if pools is None else pools
    clean_groups = _grouped((item for item in clean if item.model_key in models), pools, per_repeat=per_repeat)
    attack_groups = _grouped((item for item in attacks if item.model_key in models), pools, per_repeat=per_repeat)
    if worst:
        attack_groups = _ensembles(attack_groups)
    clean_found = _found(clean_groups, models)
    attack_found = _found(attack_groups, models, scores=_worst_by_seed(attack_groups, models) if worst else None)
    of_attacks = {group: _clean_group(group, models[group[1]]) for group in attack_groups}
    attacked = {natural[:3] for natural in of_attacks.values()}
    rows = {
        group: _row(group, items, models[group[1]], clean_found.get(of_attacks[group], _NOTHING), attack_found[group], models)
        for group, items in attack_groups.items()
    }
    rows |= {
        group: _row(group, items, models[group[1]], clean_found[group], _Found(errors=clean_found[group].errors), models)
        for group, items in clean_groups.items()
        if group[:3] not in attacked
    }
    of_models = {row.model_key: model_order(row) for row in {row.model_key: row for row in rows.values()}.values()}
    of_settings = {setting: _setting_order(setting) for _, _, setting, _ in rows}
    ordered = sorted(rows.items(), key=lambda item: _order(item[1], of_models[item[1].model_key], of_settings[item[0][2]]))
    return [row for _, row in ordered]


def _grouped(measurements: Iterable[Measurement], pools: Mapping[str, str], *, per_repeat: bool) -> dict[Group, list[Measurement]]:
    groups = defaultdict(list)
    for item in measurements:
        groups[item.sweep, pools[item.model_key], _pooled(item.setting, pools), item.repeat if per_repeat else None].append(item)
    return {group: sorted(items, key=lambda item: (item.repeat, item.job_key)) for group, items in groups.items()}


def _pooled(setting: Setting, pools: Mapping[str, str]) -> Setting:
    """Replace the setting's source by that source's pool, so that seeds with a source of their own each are still pooled."""
    source = setting.source_key
    return setting if source is None or source not in pools else replace(setting, source_key=pools[source])


def _ensembles(groups: Mapping[Group, Sequence[Measurement]]) -> dict[Group, list[Measurement]]:
    """Group the measurements of all attacks on the same examples in the same ball by knowledge, and over any if there are several."""
    ensembles: defaultdict[Group, list[Measurement]] = defaultdict(list)
    knowledges: defaultdict[Group, set[str]] = defaultdict(set)
    for (sweep, model_key, setting, repeat), items in groups.items():
        evaluation = {name: getattr(setting, name) for name in ("norm", "epsilon", *_EVALUATION)}
        every = (sweep, model_key, Setting(attack=WORST_CASE, knowledge=ANY, **evaluation), repeat)
        one = (sweep, model_key, Setting(attack=WORST_CASE, knowledge=setting.knowledge, **evaluation), repeat)
        knowledges[every].add(setting.knowledge)
        for group in (one, every):
            ensembles[group] += items
    return {group: items for group, items in ensembles.items() if len(knowledges.get(group, ())) != 1}


def _clean_group(group: Group, model: Mapping[str, Any]) -> Group:
    """Return the group with the clean accuracy for an attack: in the same repeat, or the only one of a model without randomness."""
    sweep, model_key, setting, repeat = group
    if repeat is not None and not model["randomised"]:
        repeat = 0
    return sweep, model_key, Setting(**{name: getattr(setting, name) for name in _EVALUATION}), repeat


def _found(
    groups: Mapping[Group, Sequence[Measurement]],
    models: Mapping[str, Mapping[str, Any]],
    *,
    scores: Mapping[Group, Sequence[Correct] | None] | None = None,
) -> dict[Group, _Found]:
    """Return what each group comes to: by the `scores` of its models where there are any (nothing for None), or else by its flags."""
    found: dict[Group, _Found] = {}
    for portion in _portions(groups):
        of_groups = {group: _by_seed(groups[group]) if scores is None else scores[group] for group in portion}
        known = {group: by_seed for group, by_seed in of_groups.items() if by_seed is not None}
        intervals = intervals_over_seeds((by_seed, group[2].shared_draws) for group, by_seed in known.items())
        errors = standard_errors_of_each(
            (by_seed, models[group[1]]["randomised"] or group[2].randomised) for group, by_seed in known.items()
        )
        of_known = zip(known, intervals, errors, strict=True)
        found |= dict.fromkeys(portion, _NOTHING) | {group: _Found(interval=interval, errors=own) for group, interval, own in of_known}
    return found


def _portions(groups: Mapping[Group, Sequence[Measurement]]) -> Iterator[list[Group]]:
    """Yield the groups in parts whose flags, unpacked, take little memory."""
    portion: list[Group] = []
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


def _worst_by_seed(
    groups: Mapping[Group, Sequence[Measurement]], models: Mapping[str, Mapping[str, Any]]
) -> dict[Group, list[Correct] | None]:
    """Return the scores of each of a group's models under its worst attacks, by repeats and draws; None where one was evaluated too
    rarely. No knowledge alone leaves fewer right than all of them together."""
    found = {group: _worst_cases(items, randomised=models[group[1]]["randomised"]) for group, items in groups.items()}
    for group in groups:
        if group[2].knowledge == ANY and models[group[1]]["randomised"]:
            _put_in_order(found, group)
    return {
        group: None if None in by_model.values() else [scores for scores, _ in filter(None, by_model.values())]
        for group, by_model in found.items()
    }


_Scored = dict[str, tuple[Scores, int] | None]
"""Scores of models, by key, under their worst attacks, and the number of these; None where a model was evaluated too rarely."""


def _worst_cases(items: Sequence[Measurement], *, randomised: bool) -> _Scored:
    by_model: defaultdict[str, defaultdict[Setting, list[NDArray[np.bool_]]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        by_model[item.model_key][item.setting].append(item.correct)
    found = {key: worst_case([np.stack(flags) for flags in attacks.values()], randomised=randomised) for key, attacks in by_model.items()}
    return {key: None if scores is None else (scores, len(by_model[key])) for key, scores in found.items()}


def _put_in_order(found: dict[Group, _Scored], every: Group) -> None:
    """Replace the scores of all knowledges together, model by model, and of those alone that are below them by luck."""
    sweep, pool, setting, repeat = every
    alone = {word: found.get((sweep, pool, replace(setting, knowledge=word), repeat), {}) for word in _KNOWLEDGE_ORDER if word != ANY}
    for key, together in found[every].items():
        parts = {word: scored for word, by_model in alone.items() if (scored := by_model.get(key)) is not None}
        if together is None or not parts:
            continue
        whole, moved = ordered_scores(together[0], parts)
        found[every][key] = whole, together[1]
        for word, scores in moved.items():
            alone[word][key] = scores, parts[word][1]


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
    group: Group,
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
        **{name: getattr(setting, name) for name in _SETTING_FIELDS} | {"attack_settings": dict(setting.attack_settings)},
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
    return (_KNOWLEDGE_ORDER.get(setting.knowledge, len(_KNOWLEDGE_ORDER)), _strength(setting), norm, setting.epsilon, *settings)


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
