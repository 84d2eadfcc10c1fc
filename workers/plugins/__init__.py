"""Plugins: a user's files, folders and installed distributions that register components. They are code, and run with the user's rights."""

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from workers.components.facts import PluginVersion
from workers.errors import PluginNeededError, UserError
from workers.plugins.distribution import Distribution
from workers.plugins.files import FilePlugin, read_plugin
from workers.plugins.importer import has_run, raised_at, run_once, run_when_asked
from workers.plugins.known import known_components, note_if_known
from workers.registry import REGISTRIES
from workers.spec.component import STORED
from workers.spec.job import JOB, Job

__all__ = [
    "VARIABLE",
    "Archives",
    "Distribution",
    "FilePlugin",
    "Plugin",
    "archives",
    "find_plugin",
    "job_from_json",
    "load_plugins",
    "load_plugins_of",
    "loaded",
    "named_in_environment",
    "raised_at",
    "receive",
    "require_planned",
    "run_when_needed",
]

VARIABLE = "ROBUSTSWEEP_PLUGINS"
"""The environment variable that names plugins, as PATH does."""
Archives = Mapping[str, tuple[Path, Mapping[str, bytes]]]
"""Plugins by digest: where each is on the driver's machine, and its files."""
Plugin = FilePlugin | Distribution
_VERSIONS = TypeAdapter(tuple[PluginVersion, ...])
_received: dict[str, FilePlugin] = {}
_loaded: dict[str, Plugin] = {}
_only_declared = False


def named_in_environment() -> tuple[str, ...]:
    """The plugins that `ROBUSTSWEEP_PLUGINS` names."""
    return tuple(part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part)


def load_plugins(names: Iterable[str | Path], *, folder: Path | None = None) -> None:
    """Load plugins; one whose content is loaded already is not loaded again.

    Args:
        names: files NAME.py, folders with an `__init__.py`, or installed distributions.
        folder: the one that files are relative to; by default the current one.

    Raises:
        UserError: one is not there, or raises an error, or registers a name that is taken; the message says where.
    """
    for name in names:
        _load(find_plugin(str(name), folder or Path()))


def load_plugins_of(plugins: Iterable[PluginVersion], *, edited: bool = False) -> None:
    """Load the plugins that a job runs: as they came from the driver, else as they are here.

    Args:
        plugins: as they were when the job was planned.
        edited: True to run one that differs too, which may be by a comment alone; `require_planned` must be asked then.

    Raises:
        UserError: one is not there, or differs from the one that the job was planned with; it is not run then.
    """
    for plugin in plugins:
        found = _received.get(plugin.digest) or find_plugin(plugin.path, Path())
        if found.digest != plugin.digest and not edited:
            raise UserError(f"plugin {plugin.path}: differs here ({found.digest[:12]}) from the one of the plan ({plugin.digest[:12]})")
        _load(found)


def loaded() -> tuple[Plugin, ...]:
    """All plugins that were loaded here."""
    return tuple(_loaded.values())


def archives() -> Archives:
    """The files of all plugins that were loaded here, for workers."""
    return {plugin.digest: (plugin.path, plugin.files) for plugin in loaded() if isinstance(plugin, FilePlugin)}


def receive(sent: Archives) -> None:
    """Take plugins as they came from the driver: what they hold counts, whatever is at their paths here."""
    plugins = (FilePlugin(path, files) for path, files in sent.values())
    _received.update({plugin.digest: plugin for plugin in plugins})


def require_planned(job: Job) -> None:
    """Check that the code of a job's components is the one that it was planned with: their definitions, and what these reach.

    Raises:
        UserError: a component is missing here, or another; the message names both.
    """
    for named, planned in job.digests.items():
        kind, _, name = named.partition(" ")
        if kind not in REGISTRIES:  # of weights, or of a data set's files
            continue
        component = REGISTRIES[kind].find(name)
        here = "missing here" if component is None else f"here ({(component.digest or '')[:12]}, {component.place})"
        if component is None or component.digest != planned:
            raise UserError(f"job {job.key}: {named}: {here}, and planned with other code ({planned[:12]}); plan again")


def require_known(job: Job, job_key: str) -> None:
    """Check that the components of plugins are registered that the job stored under a key has: without their defaults no key can be told.

    Raises:
        PluginNeededError: some are not; the message names them, and the plugins.
    """
    of_plugins = (named.partition(" ") for named in job.digests)
    absent = [f"{kind} {name}" for kind, _, name in of_plugins if kind in REGISTRIES and REGISTRIES[kind].find(name) is None]
    if absent:
        options = " ".join(f"--plugin {shlex.quote(plugin.path)}" for plugin in job.plugins)
        raise PluginNeededError(f"job {job_key}: needs {', '.join(absent)}, of a plugin that is gone or was edited since: add {options}")


def job_from_json(text: str | bytes, *, stored: bool = False, edited: bool = False) -> Job:
    """The job that a text holds, the plugins that it names being loaded first.

    Args:
        text: JSON.
        stored: True for a text from a store or an artifact, where components that are not installed here, as they were then, are no error;
            a plugin of which another version is loaded stays as it is: what a job ran then does not change what jobs run now.
        edited: as for `load_plugins_of`.

    Raises:
        ValidationError: the text is no job.
        UserError: a plugin cannot be loaded.
    """
    here = {str(plugin.path) for plugin in loaded()} if stored else set()
    for plugin in _plugins_in(text):
        if plugin.path in here:
            continue
        try:
            load_plugins_of([plugin], edited=edited)
        except UserError:
            if not stored:
                raise
    job = JOB.validate_json(text, context=STORED if stored else None)
    return job.model_copy(update={"key_version": 1}) if stored and b'"key_version"' not in _bytes(text) else job


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _plugins_in(text: str | bytes) -> tuple[PluginVersion, ...]:
    try:
        found = from_json(text)
        return _VERSIONS.validate_python(found.get("plugins", ()), strict=False) if isinstance(found, dict) else ()
    except (ValidationError, ValueError):  # what is no job is found out when it is validated
        return ()


def find_plugin(name: str, folder: Path) -> Plugin:
    """The plugin that a name means: a file or a package's folder, relative to `folder`, or an installed distribution.

    Raises:
        UserError: it is none of these, or cannot be read.
    """
    path = Path(os.path.normpath(Path(folder, Path(name).expanduser()).absolute()))
    if path.suffix == ".py" or os.sep in name or (path / "__init__.py").is_file():
        return read_plugin(path)
    return Distribution.named(name)


@contextmanager
def run_when_needed() -> Iterator[None]:
    """Inside, a plugin whose declarations are known (see `workers.plugins.known`) runs when one of its components is called."""
    global _only_declared  # noqa: PLW0603 (commands say it once for all that they load)
    _only_declared = True
    try:
        yield
    finally:
        _only_declared = False


def _load(plugin: Plugin) -> None:
    _loaded[plugin.digest] = plugin
    if isinstance(plugin, Distribution):
        plugin.load()
    elif has_run(plugin):
        pass
    elif _only_declared and (known := known_components(plugin)) is not None:
        for component in known:
            REGISTRIES[component.kind].put(component)
        run_when_asked(plugin)
    else:
        run_once(plugin)
        note_if_known(plugin)
