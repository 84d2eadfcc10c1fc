"""Files of plugins whose change makes jobs new that have results with an earlier version."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from workers.facts import PluginVersion
from workers.spec.job import Job

EarlierPlugins = Mapping[str, Sequence[Sequence[PluginVersion]]]
"""The plugins that finished jobs ran, by their seed keys, which code does not change."""


def changed_code(jobs: Iterable[Job], earlier: EarlierPlugins) -> dict[str, int]:
    """Return the number of the jobs that are new because files have changed, by these files' names."""
    found: Counter[str] = Counter()
    for job in jobs:
        differences = [_differing(job.plugins, before) for before in earlier.get(job.seed_key, ())]
        if nearest := min(differences, key=len, default=[]):
            found[", ".join(nearest)] += 1
    return dict(found)


def _differing(plugins: Iterable[PluginVersion], before: Iterable[PluginVersion]) -> list[str]:
    now, then = _files(plugins), _files(before)
    return sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))


def _files(plugins: Iterable[PluginVersion]) -> dict[str, str]:
    found: dict[str, str] = {}
    for plugin in plugins:
        path = Path(plugin.path)
        inside = "" if path.name in plugin.files else f"{path.name}/"
        found |= {f"{inside}{name}": digest for name, digest in plugin.files.items()} or {path.name: plugin.digest}
    return found
