"""Plugins: files of a user's that register components. They are code, and run with the user's rights."""

import hashlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from workers.errors import UserError
from workers.facts import Source
from workers.registry import loading
from workers.spec.component import STORED
from workers.spec.job import JOB, Job, PluginFile

VARIABLE = "ROBUSTSWEEP_PLUGINS"
"""The environment variable that names plugins, as PATH does."""


def named_in_environment() -> tuple[Path, ...]:
    """The plugins that `ROBUSTSWEEP_PLUGINS` names."""
    return tuple(Path(part).expanduser().absolute() for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part)


def load_plugins(paths: Iterable[Path]) -> None:
    """Load plugins; one whose content is loaded already is not loaded again.

    Raises:
        UserError: a file cannot be read, or raises an error, or registers a name that is taken; the message says where.
    """
    for path in paths:
        _load(path)


def load_plugins_of(job: Job | Iterable[PluginFile]) -> None:
    """Load the plugins that a job runs.

    Raises:
        UserError: one cannot be loaded, or differs from the one that the job was planned with.
    """
    for plugin in job.plugins if isinstance(job, Job) else job:
        if (found := _load(Path(plugin.path))) != plugin.digest:
            raise UserError(f"plugin {plugin.path}: differs here ({found[:12]}) from the one of the plan ({plugin.digest[:12]})")


def job_from_json(text: str | bytes, *, stored: bool = False) -> Job:
    """The job that a text holds, the plugins that it names being loaded first.

    Args:
        text: JSON.
        stored: True for a text from a store or an artifact, where components that are not installed here are no error.

    Raises:
        ValidationError: the text is no job.
        UserError: a plugin cannot be loaded.
    """
    load_plugins_of(plugin for plugin in _plugins_in(text) if not stored or Path(plugin.path).is_file())
    job = JOB.validate_json(text, context=STORED if stored else None)
    return job.model_copy(update={"key_version": 1}) if stored and b'"key_version"' not in _bytes(text) else job


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _plugins_in(text: str | bytes) -> list[PluginFile]:
    with suppress(ValueError, TypeError):  # what is no job is found out when it is validated
        found = json.loads(text)
        return [PluginFile.model_validate(plugin) for plugin in found.get("plugins", ())] if isinstance(found, dict) else []
    return []


def _load(path: Path) -> str:
    """Load a plugin, and return its digest."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"plugin {path}: {(error.strerror or str(error)).lower()}") from error
    digest = hashlib.sha256(content).hexdigest()
    name = f"robustsweep_plugin_{digest[:16]}"
    if name not in sys.modules:
        _run(path, name, digest)
    return digest


def _run(path: Path, name: str, digest: str) -> None:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"plugin {path}: must be a Python file, NAME.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with loading(Source(path, digest)):
            spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UserError(f"plugin {path}: {_first_line(error, path)}") from error


def _first_line(error: Exception, path: Path) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    message = (str(error) or type(error).__name__).splitlines()[0]
    kind = "" if isinstance(error, ValueError | TypeError) else f"{type(error).__name__}: "
    return f"line {lines[-1]}: {kind}{message}" if lines else f"{kind}{message}"
