"""From measurements (one per finished evaluation or attack) to result rows. Knows nothing of the database."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args

import numpy as np

from orchestrator.store.intervals import accuracy_interval
from orchestrator.store.sources import source_in_words
from orchestrator.store.values import ResultRow
from workers.defence_spec import is_randomised
from workers.fields import AdversarialTraining, DefenceName
from workers.results import unpack_flags


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What was measured: the attack (all defaults: none), on how many examples, in batches of what size."""

    attack: str = "none"
    knowledge: str = "none"
    source_key: str | None = None
    norm: str = "none"
    epsilon: float = 0.0
    steps: int = 0
    abs_stepsize: float = 0.0
    random_start: bool = False
    loss: str = "none"
    momentum: float = 0.0
    target: str = "none"
    restarts: int = 0
    eot_samples: int = 0
    selection_draws: int = 0
    early_stop: bool = False
    backend: str = "none"
    sign_gradient: str = "identity"
    n_examples: int
    batch_size: int


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


Group = tuple[str, str, Setting, int | None]
Accuracy = tuple[float, float, float] | tuple[None, None, None]
_UNKNOWN: Accuracy = (None, None, None)
_SETTING_FIELDS = tuple(field.name for field in fields(Setting))
_KNOWLEDGE_ORDER = {"none": -1, "transfer": 0, "randomized": 1, "eot": 2, "omniscient": 3}
_DEFENCE_ORDER = {name: place for place, name in enumerate(get_args(DefenceName))}
_TRAINING_ORDER = {name: place for place, name in enumerate(get_args(AdversarialTraining))}
_NORM_ORDER = {"none": -1, "linf": 0, "l2": 1}
_ATTACKS = ("none", "noise", "fgsm", "bim", "mi_fgsm", "pgd", "apgd_ce", "apgd_dlr", "square")
_ATTACK_ORDER = {name: place for place, name in enumerate(_ATTACKS)}


def result_table(
    models: Mapping[str, Mapping[str, Any]], clean: Iterable[Measurement], attacks: Iterable[Measurement], *, per_repeat: bool
) -> list[ResultRow]:
    """The sorted rows; `models` holds, by key, the row's fields that belong to the model. Measurements of other models are left out.

    A source of transferred examples that is not among the models is called by its key.
    """
    clean_groups = _grouped((item for item in clean if item.model_key in models), per_repeat=per_repeat)
    attack_groups = _grouped((item for item in attacks if item.model_key in models), per_repeat=per_repeat)
    clean_accuracies = {group: _accuracy(items) for group, items in clean_groups.items()}
    attacked = {_clean_group(group, models[group[1]])[:3] for group in attack_groups}
    unattacked = {group: items for group, items in clean_groups.items() if group[:3] not in attacked}
    rows = [
        _row(group, items, models, clean_accuracies.get(_clean_group(group, models[group[1]]), _UNKNOWN))
        for group, items in (attack_groups | unattacked).items()
    ]
    return sorted(rows, key=_order)


def _grouped(measurements: Iterable[Measurement], *, per_repeat: bool) -> dict[Group, list[Measurement]]:
    groups = defaultdict(list)
    for item in measurements:
        groups[item.sweep, item.model_key, item.setting, item.repeat if per_repeat else None].append(item)
    return {group: sorted(items, key=lambda item: (item.repeat, item.job_key)) for group, items in groups.items()}


def _clean_group(group: Group, model: Mapping[str, Any]) -> Group:
    """Where the clean accuracy beside an attack is found: in the same repeat, or the only one of a model without randomness."""
    sweep, model_key, setting, repeat = group
    if repeat is not None and not is_randomised(model["theta"], model["defence"]):
        repeat = 0
    return sweep, model_key, Setting(n_examples=setting.n_examples, batch_size=setting.batch_size), repeat


def _accuracy(items: Sequence[Measurement]) -> Accuracy:
    return accuracy_interval(np.stack([unpack_flags(item.flags, n_examples=item.setting.n_examples) for item in items]))


def _row(group: Group, items: Sequence[Measurement], models: Mapping[str, Mapping[str, Any]], clean: Accuracy) -> ResultRow:
    sweep, model_key, setting, repeat = group
    source = None if setting.source_key is None else source_in_words(models, of=model_key, source=setting.source_key)
    robust = _UNKNOWN if setting.attack == "none" else _accuracy(items)
    return ResultRow(
        sweep=sweep,
        model_key=model_key,
        job_keys=tuple(item.job_key for item in items),
        epsilon_literal=items[0].epsilon_literal,
        repeat=repeat,
        repeats=len(items),
        clean_accuracy=clean[0],
        clean_ci_low=clean[1],
        clean_ci_high=clean[2],
        robust_accuracy=robust[0],
        ci_low=robust[1],
        ci_high=robust[2],
        source=source,
        **{name: getattr(setting, name) for name in _SETTING_FIELDS},
        **models[model_key],
    )


def _order(row: ResultRow) -> tuple[Hashable, ...]:
    """Models from the simplest sketch to the strongest, a dense one first, an undefended one before defended ones, one without adversarial
    training before those with it, binary ones last; attackers from the one who knows least, and of other models from the nearest;
    attacks from the weakest to the strongest."""
    sketch = (row.rank_fraction or 0.0, -row.theta)
    defence = (_DEFENCE_ORDER[row.defence], tuple(sorted((row.defence_settings or {}).items())))
    model = (row.dataset, row.model, row.width, row.binary, *sketch, *defence, _TRAINING_ORDER[row.adversarial_training])
    words = (row.source or "").split()
    source = ("dense" in words, len(words), words, row.source_key or "")
    attack = (_KNOWLEDGE_ORDER[row.knowledge], source, _ATTACK_ORDER[row.attack], _NORM_ORDER[row.norm], row.epsilon)
    settings = tuple(getattr(row, name) for name in _SETTING_FIELDS if name != "source_key")
    return (row.sweep, *model, row.seed, row.model_key, *attack, *settings, -1 if row.repeat is None else row.repeat)
