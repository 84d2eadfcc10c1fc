"""Digests of what jobs are computed from: those of data sets' files, for job keys, and which files of plugins and data sets make jobs
new that have results with an earlier version."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from workers.components.facts import PluginVersion
from workers.data.loading import remote, source
from workers.data.loading.remote import DataRoot
from workers.errors import DataError
from workers.spec.component import DataSpec
from workers.spec.job import Job
from workers.spec.keys import data_set_of, digests_by


@contextmanager
def digests_of_files(root: DataRoot) -> Iterator[None]:
    """Inside, planned jobs have the digests of the files in `root`; those of data sets that are not there have none, and cannot be run."""

    @cache
    def digest_of(data: DataSpec) -> str | None:
        try:
            return remote.digest(source(data), root)
        except DataError:
            return None

    with digests_by(digest_of):
        yield


EarlierDigests = Mapping[str, Sequence[Mapping[str, str]]]
"""The digests of finished jobs by their seed keys."""
EarlierPlugins = Mapping[str, Sequence[Sequence[PluginVersion]]]
"""The plugins that finished jobs ran, by their seed keys, which code does not change."""


def changed_code(jobs: Iterable[Job], earlier: EarlierPlugins) -> dict[str, int]:
    """Return the number of the jobs that are new because files have changed, by these files' names."""
    found: Counter[str] = Counter()
    for job in jobs if earlier else ():
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


def changed_data(jobs: Iterable[Job], new: Container[str], earlier: EarlierDigests) -> dict[str, int]:
    """Return the number of the jobs that are new because files of data sets have changed, by these data sets.

    Args:
        jobs: all jobs of the sweep, parents before their children.
        new: the keys of those that have no result.
        earlier: the digests of jobs that have one.
    """
    found: Counter[str] = Counter()
    changed: dict[str, frozenset[str]] = {}
    for job in jobs if earlier else ():
        inherited = (changed.get(parent, frozenset()) for parent in job.parents.values())
        own = _other_data(job, earlier.get(job.seed_key, ())) if job.digests else ()  # few have any, and seed keys take their time
        changed[job.key] = frozenset(own).union(*inherited)
        if changed[job.key] and job.key in new:
            found[", ".join(f"dataset {name}" for name in sorted(changed[job.key]))] += 1
    return dict(found)


def _other_data(job: Job, earlier: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield the data sets whose files the job was run with earlier, and only with others than now."""
    for name, digest in job.digests.items():
        before = {digests[name] for digests in earlier if name in digests}
        if (data := data_set_of(name)) is not None and before and digest not in before:
            yield data
