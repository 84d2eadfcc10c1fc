"""Rows of the store with changes, components' own settings and an attack's facts among them."""

from dataclasses import replace
from typing import Any

from orchestrator.store import ResultRow
from workers.registry import ATTACKS, MODELS

_FACTS = ("takes_gradients", "random_start", "selects", "one_step")


def changed(row: ResultRow, **changes: Any) -> ResultRow:
    """The row with changes, which may be settings of its attack (`steps`) or its network (`width`); another attack has its own facts.

    Raises:
        TypeError: neither the row nor its attack nor its network has something of that name.
    """
    attack = ATTACKS.find(changes.get("attack", row.attack))
    own = {} if attack is None else attack.settings.model_fields
    found: dict[str, Any] = {fact: attack and getattr(attack.facts, fact) for fact in _FACTS} if "attack" in changes else {}
    found["attack_settings"] = {name: value for name, value in {**row.attack_settings, **changes}.items() if name in own}
    network = {name: value for name, value in changes.items() if name in MODELS[row.model].settings.model_fields}
    found["model_settings"] = {**row.model_settings, **network}
    given = {name: value for name, value in changes.items() if name in ResultRow.__dataclass_fields__ or name not in {**own, **network}}
    return replace(row, **found | given)
