"""Versions of users' code side by side: where one component was measured with several, `code`, the first digits of a version's digest, is
one of its settings."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, String, cast, select

from orchestrator.store.connection.session import chunks
from orchestrator.store.reading.measured import Measurement
from orchestrator.store.schema.sweep_tables import JobRecord

CODE = "code"
_DIGITS = 8
_HELD_IN = {"model": "model_settings", "dataset": "data_settings", "defence": "defence_settings"}
Versions = Mapping[str, Mapping[str, str]]
"""The digests of each job's components, `attack my_attack` say, by its key; only of those that have several versions."""


def attacks_by_version(connection: Connection, attacks: Sequence[Measurement]) -> list[Measurement]:
    """Return measurements whose attacks have the setting `code` where theirs has several versions among them."""
    versions = _several(connection, {item.job_key for item in attacks}, ("attack",))
    found = []
    for item in attacks:
        code = versions.get(item.job_key, {}).get(f"attack {item.setting.attack}")
        own = () if code is None else ((CODE, code[:_DIGITS]),)
        settings = tuple(sorted((*item.setting.attack_settings, *own)))
        found.append(item._replace(setting=replace(item.setting, attack_settings=settings)) if own else item)
    return found


def models_by_version(connection: Connection, models: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return models, by key, whose network, data set or defence has the setting `code` where it has several versions among them."""
    versions = _several(connection, models, tuple(_HELD_IN))
    described = {key: dict(model) for key, model in models.items()}
    for key, digests in versions.items():
        for name, code in digests.items():
            field = _HELD_IN[name.partition(" ")[0]]
            described[key][field] = {**(described[key][field] or {}), CODE: code[:_DIGITS]}
    return described


def _several(connection: Connection, keys: Iterable[str], kinds: Sequence[str]) -> Versions:
    """The digests, among jobs, of the components of these kinds that have several versions there."""
    held: dict[str, dict[str, str]] = {}
    versions: defaultdict[str, set[str]] = defaultdict(set)
    foreign = select(JobRecord.key, JobRecord.digests).where(cast(JobRecord.digests, String).not_in(("{}", "null")))
    for chunk in chunks(sorted(keys)):
        for key, digests in connection.execute(foreign.where(JobRecord.key.in_(chunk))):
            held[key] = {name: digest for name, digest in (digests or {}).items() if name.partition(" ")[0] in kinds}
            for name, digest in held[key].items():
                versions[name].add(digest)
    return {key: {name: code for name, code in found.items() if len(versions[name]) > 1} for key, found in held.items()}
