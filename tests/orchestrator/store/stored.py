"""A result row as the store returns it, for tests that vary its fields whatever they are."""

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.naming.own_settings import own_names
from orchestrator.store import ResultRow, open_store, record_result, result_rows
from tests.builders import result_of, small_plan
from tests.stored import record_sweep
from workers.registry import ATTACKS, METRICS


@cache
def stored_row() -> ResultRow:
    with tempfile.TemporaryDirectory() as folder, open_store(f"sqlite:///{Path(folder) / 'results.db'}", upgrade=True) as store:
        jobs = small_plan(repeats=2)
        record_sweep(store, name="small", space_text="", jobs=jobs)
        for job in jobs:
            record_result(store, job, result_of(job), attempt_id=None)
        return result_rows(store, "small", per_repeat=False)[0]


def changed(row: ResultRow, **changes: Any) -> ResultRow:
    """The row with other fields, own settings of its components and metrics, by their names; the facts are those of its attack."""
    attack = ATTACKS.find(changes.get("attack", row.attack))
    settings = row.attack_settings | {name: value for name, value in changes.items() if name in own_names((), ["attacks"])}
    model = row.model_settings | {name: value for name, value in changes.items() if name in own_names((), ["model"])}
    metrics = row.metrics | {name: value for name, value in changes.items() if name in METRICS}
    fields = {name: value for name, value in changes.items() if name in ResultRow.__dataclass_fields__}
    facts: dict[str, Any] = {}
    if attack is not None:
        settings = {name: value for name, value in settings.items() if name in attack.settings.model_fields}
        facts = {name: getattr(attack.facts, name) for name in ("takes_gradients", "random_start", "selects", "one_step")}
    return replace(row, **{"attack_settings": settings, "model_settings": model, "metrics": metrics, **facts, **fields})
