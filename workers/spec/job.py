"""Jobs: specs with their parents, the keys that they have by these, and what they need to be run. Imports neither torch nor Ray."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from workers.components.component_registry import Component
from workers.components.facts import PluginVersion
from workers.components.settings import Frozen
from workers.registry import DATASETS, METRICS
from workers.spec.component import ComponentSpec
from workers.spec.fields import Count, Stage
from workers.spec.keys import KEY_VERSION, data_digests, job_key, seed_key
from workers.spec.stage_specs import AttackSpec, JobSpec, TrainSpec

_SHARD = "shard "


class Earlier(Frozen):
    """A finished rung: its job key, and how many epochs it was trained for."""

    key: str
    epochs: Count


class Job(Frozen):
    """A node of the plan: a spec and its parents' job keys by role (`weights`, `model`, `examples`, `source`, `survivors`, `direction`).

    `parent_seeds` are the parents' seed keys by role: randomness derives from settings alone. `digests` are those of foreign code by
    component, of data sets' files and of adopted `weights`, part of the key. `resumes` is a rung of the same trunk whose training the job
    may go on with: a hint, which changes nothing but the work that is left, and is no part of the key. `plugins` register the foreign
    components.
    """

    spec: JobSpec
    parents: dict[str, str] = {}
    parent_seeds: dict[str, str] = {}
    digests: dict[str, str] = {}
    plugins: Annotated[tuple[PluginVersion, ...], Field(strict=False)] = ()
    key_version: int = KEY_VERSION
    resumes: Earlier | None = None

    @classmethod
    def of(cls, spec: JobSpec, **parents: "Job") -> "Job":
        """The job of a spec and of its parents by role, with the digests of the foreign code that it runs and of its data's files."""
        components = _components(spec)
        return cls(
            spec=spec,
            parents={role: parent.key for role, parent in parents.items()},
            parent_seeds={role: parent.seed_key for role, parent in parents.items()},
            digests={f"{found.kind} {found.name}": found.digest for found in components if found.digest is not None}
            | _data_digests(spec)
            | _eot_digest(spec),
            plugins=_plugins(components, parents.values()),
        )

    @cached_property
    def key(self) -> str:
        """The job key (see `workers.spec.keys.job_key`)."""
        return job_key(self.spec, self.parents, self.digests)

    @cached_property
    def seed_key(self) -> str:
        """The key that the job's seeds derive from; a rung draws all that the training draws which is carried to its end, and an attack
        that keeps examples what it draws without."""
        spec = self._trunk
        if isinstance(spec, AttackSpec) and spec.keep_examples:
            spec = spec.model_copy(update={"keep_examples": 0})
        return seed_key(spec, self.parent_seeds or self.parents)

    @cached_property
    def trunk_key(self) -> str:
        """The key of the same training carried to its end; of any other job its own."""
        return job_key(self._trunk, self.parents, self.digests) if self._trunk is not self.spec else self.key

    @property
    def _trunk(self) -> JobSpec:
        if isinstance(self.spec, TrainSpec) and self.spec.is_rung:
            return self.spec.model_copy(update={"until": None})
        return self.spec

    def __copy__(self) -> "Job":
        copied = super().__copy__()
        for name in ("key", "seed_key", "trunk_key"):  # `model_copy` may change what they were made of
            copied.__dict__.pop(name, None)
        return copied

    @property
    def stage(self) -> Stage:
        return self.spec.stage


def components_of(value: Frozen) -> Iterator[ComponentSpec]:
    """Every component that a spec names."""
    if isinstance(value, ComponentSpec):
        yield value
    for item in value.__dict__.values():
        if isinstance(item, Frozen):
            yield from components_of(item)


def _data_digests(spec: JobSpec) -> dict[str, str]:
    if not isinstance(spec, TrainSpec):
        return {}
    return data_digests(spec.data.whole) | (data_digests(extra) if (extra := spec.data.extra_data) is not None else {})


def _eot_digest(spec: JobSpec) -> dict[str, str]:
    """Mark of attacks that are given the net as a function alone: they average its logits, and once averaged nothing, under other keys."""
    averages = isinstance(spec, AttackSpec) and spec.attack.eot_samples > 1 and not spec.attack.component.accepts("problem")
    return {"eot": "mean logits"} if averages else {}


def _components(spec: JobSpec) -> list[Component[Any]]:
    """The components that a spec names, metrics included."""
    metrics = spec.evaluation.metrics if isinstance(spec, AttackSpec) else ()
    extra = [DATASETS[spec.data.extra]] if isinstance(spec, TrainSpec) and spec.data.extra is not None else []
    return [*(part.component for part in components_of(spec)), *extra, *(METRICS[name] for name in metrics)]


def _plugins(components: Iterable[Component[Any]], parents: Iterable[Job]) -> tuple[PluginVersion, ...]:
    """The plugins of a spec's components and of the parents, each with the files that these reach."""
    own = [found.source.plugin for found in components]
    found: dict[tuple[str, str], PluginVersion] = {}
    for plugin in [*(plugin for parent in parents for plugin in parent.plugins), *filter(None, own)]:
        before = found.get((plugin.path, plugin.digest), plugin)
        found[plugin.path, plugin.digest] = plugin.model_copy(update={"files": before.files | plugin.files})
    return tuple(found.values())


def shard_role(number: int) -> str:
    """Return the role of the parent that has the outcome of a shard, counted from 0."""
    return f"{_SHARD}{number}"


def shard_roles(parents: Iterable[str]) -> list[str]:
    """Return those of the roles that are of shards, in the shards' order."""
    return sorted((role for role in parents if role.startswith(_SHARD)), key=lambda role: int(role.removeprefix(_SHARD)))


JOB = TypeAdapter(Job)
