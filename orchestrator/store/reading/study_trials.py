"""Reads of the progress of searches, from Optuna's tables next to ours: without Optuna, which would write to them when it opens them."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, Text, and_, cast, column, func, inspect, select, table

_STUDIES = table("studies", column("study_id"), column("study_name"))
_TRIALS = table("trials", column("trial_id"), column("study_id"), column("state"))
_STUDY_ATTRIBUTES = table("study_user_attributes", column("study_id"), column("key"), column("value_json"))
_TRIAL_ATTRIBUTES = table("trial_user_attributes", column("trial_id"), column("key"), column("value_json"))


@dataclass(frozen=True, slots=True)
class StudyCounts:
    """Counts of a search's trials: those asked for, those of them that were begun, and all trials of the study by Optuna's state in lower
    case. A trial that was nothing new, tries a failed one again or continues a pruned one is none of those asked for."""

    n_trials: int
    begun: int
    states: dict[str, int] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Number of trials that are not finished, or not begun."""
        return max(0, self.n_trials - self.begun) + self.states.get("running", 0) + self.states.get("waiting", 0)


def study_counts(connection: Connection) -> dict[str, StudyCounts]:
    """Count the trials of every study, by its name, which is its sweep's."""
    if not inspect(connection).has_table("trial_user_attributes"):
        return {}
    wanted = select(_STUDIES.c.study_name, _STUDY_ATTRIBUTES.c.value_json).join(
        _STUDY_ATTRIBUTES, _STUDY_ATTRIBUTES.c.study_id == _STUDIES.c.study_id
    )
    asked = {name: int(json.loads(value)) for name, value in connection.execute(wanted.where(_STUDY_ATTRIBUTES.c.key == "n_trials"))}
    states: defaultdict[str, Counter[str]] = defaultdict(Counter)
    begun: Counter[str] = Counter()
    for name, state, kind, retry, promotes, trials in connection.execute(_counted()):
        states[name][state.lower()] += trials
        begun[name] += trials if kind in (None, '"failed"') and retry is None and promotes is None else 0
    return {name: StudyCounts(number, begun[name], dict(states[name])) for name, number in asked.items()}


def _counted() -> Select[*tuple[Any, ...]]:
    """Select name, state, kind, the trial tried again and the trial continued, as JSON, and the number of trials."""
    kind, retry, promotes = (_TRIAL_ATTRIBUTES.alias(name) for name in ("kind", "retry", "promotes"))
    attributes = kind.c.value_json.label("kind"), retry.c.value_json.label("retry"), promotes.c.value_json.label("promotes")
    columns = _STUDIES.c.study_name, cast(_TRIALS.c.state, Text).label("state"), *attributes
    joined: Any = _TRIALS.join(_STUDIES, _STUDIES.c.study_id == _TRIALS.c.study_id)
    for attribute, key in ((kind, "kind"), (retry, "retry_of"), (promotes, "promotes")):
        joined = joined.outerjoin(attribute, and_(attribute.c.trial_id == _TRIALS.c.trial_id, attribute.c.key == key))
    return select(*columns, func.count()).select_from(joined).group_by(*columns)
