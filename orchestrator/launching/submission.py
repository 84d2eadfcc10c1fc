"""`robustsweep submit`: run the driver of a sweep as a job of a Ray cluster, through Ray's Jobs API."""

import asyncio
import os
import re
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from orchestrator.executors.ray_tune.jobs_api import follow_job, jobs_client
from orchestrator.launching.launch import EXIT_INCOMPLETE
from orchestrator.planning import MAX_JOBS
from orchestrator.planning.adopted import load_sweep
from orchestrator.planning.prelaunch_checks import check_sizes
from orchestrator.search.possible_jobs import jobs_of
from orchestrator.store.connection.urls import parse_url
from orchestrator.temp_folder import temp_folder
from orchestrator.terminal.console import shell_command
from search_spaces import LoadedSpace
from workers.errors import UserError, first_line
from workers.plugins import FilePlugin, Plugin, find_plugin
from workers.plugins import loaded as plugins_here
from workers.weights.place import WeightsPlace

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

_LAUNCHED = Path("launched")
_EXIT_INTERRUPTED = 130
_PACKAGES = ("orchestrator", "robustsweep", "search_spaces", "workers")


@dataclass(frozen=True)
class Submission:
    """Sweep to submit to a cluster. `words` are further options of `launch`, as words of a command line; paths are the cluster's.

    None for `home`, `store`, `artifacts` or `data`: the value in the environment of the cluster's head.
    """

    space: str
    address: str
    overrides: tuple[str, ...] = ()
    home: Path | None = None
    store: str | None = None
    artifacts: str | None = None
    data: str | None = None
    words: tuple[str, ...] = ()
    ship_code: bool = False
    max_jobs: int = MAX_JOBS

    def entrypoint(self, file_name: str, plugins: Sequence[str] = ()) -> str:
        """Return the command that the cluster's head runs, in a folder with the space's file and the plugins."""
        program = ["python", "-P", "-m", "orchestrator.cli.main"] if self.ship_code else ["robustsweep"]
        words = [*program, "launch", file_name, "--address", "auto"]
        options = (("--home", self.home), ("--store", self.store), ("--artifacts", self.artifacts), ("--data", self.data))
        for option, value in options:
            words += [option, str(value)] if value is not None else []
        words += [word for plugin in plugins for word in ("--plugin", plugin)]
        return shell_command([*words, *(word for override in self.overrides for word in ("--set", override)), *self.words])


def submit(submission: Submission, *, wait: bool, say: Callable[[str], None], write: Callable[[str], None]) -> int:
    """Submit the sweep; return 0, or with `wait` the exit code of its `launch`, whose output then goes to `write`.

    Raises:
        UserError: nothing was submitted, for a reason that the user can fix.
    """
    loaded = load_sweep(submission.space, submission.overrides)
    check_sizes(jobs_of(loaded.space, max_jobs=submission.max_jobs))
    _check_paths(submission)
    client = jobs_client(submission.address, warn=say)
    job = _submitted(client, submission, loaded)
    command = f"ray job {{}} {job} --address {submission.address}"
    say(f"sweep {loaded.name}: submitted as job {job}; watch: {command.format('logs --follow')}; stop: {command.format('stop')}")
    if not wait:
        return 0
    try:
        return asyncio.run(follow_job(client, job, write))
    except KeyboardInterrupt:
        say(f"sweep {loaded.name}: goes on without being watched")
        return _EXIT_INTERRUPTED
    except (OSError, RuntimeError) as error:
        say(f"sweep {loaded.name}: the connection is lost, the sweep goes on: {first_line(error)}")
        return EXIT_INCOMPLETE


def _check_paths(submission: Submission) -> None:
    """Check the cluster's paths and store URL as far as possible from here.

    Raises:
        UserError: a path is not absolute, or the URL holds a password.
    """
    for option, path in (("--home", submission.home), ("--artifacts", submission.artifacts), ("--data", submission.data)):
        if path is not None and "://" not in str(path) and not PurePosixPath(path).is_absolute():
            raise UserError(f"{option} {path}: must be an absolute path, of the cluster's nodes")
    if submission.store is None:
        return
    url = parse_url(submission.store)
    if url.password or any("password" in name for name in url.query):
        raise UserError(
            "--store, or ROBUSTSWEEP_STORE: must hold no password, since the cluster shows it with the job; "
            "put it into ~/.pgpass on the cluster's head (mode 0600)"
        )
    if url.get_backend_name() == "sqlite" and not PurePosixPath(url.database or "").is_absolute():
        raise UserError(f"--store {submission.store}: must name an absolute path, of the cluster's head, as sqlite:////PATH")


def write_files(folder: Path, loaded: LoadedSpace) -> tuple[str, list[str]]:
    """Write the space's file, the plugins and the weights into a folder; return the file's path there, and what `--plugin` is to name.

    Plugins and weights that the space names by relative paths are then at these paths; those that it names by absolute ones are the
    cluster's.
    """
    file = Path(os.path.normpath(Path(loaded.label.removeprefix("built-in:")).with_suffix(".yaml").absolute()))
    named = {find_plugin(name, file.parent).path: Path(name).expanduser().is_absolute() for name in loaded.space.plugins}
    relative = [plugin for plugin in plugins_here() if isinstance(plugin, FilePlugin) and named.get(plugin.path) is False]
    weights = [WeightsPlace(written, file.parent) for written in loaded.space.named_weights]
    carried = [place.path for place in weights if not (place.is_key or Path(place.written).expanduser().is_absolute())]
    top = os.path.commonpath([file.parent, *(plugin.folder for plugin in relative), *(path.parent for path in carried)])
    for path in carried:
        copy = folder / _LAUNCHED / path.relative_to(top)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    for plugin in relative:
        _write_plugin(plugin, folder / _LAUNCHED / plugin.folder.relative_to(top))
    space = _LAUNCHED / file.parent.relative_to(top) / file.name if relative or carried else Path(file.name)
    (folder / space).parent.mkdir(parents=True, exist_ok=True)
    (folder / space).write_text(loaded.text, encoding="utf-8")
    return str(space), [_named(plugin, folder) for plugin in plugins_here() if plugin.path not in named]


def _named(plugin: Plugin, folder: Path) -> str:
    """Value of `--plugin` for a plugin; its files, if it has any, are written into a folder of their own in `folder`."""
    if not isinstance(plugin, FilePlugin):
        return plugin.path
    own = Path("plugins", plugin.digest[:16], plugin.path.name)
    _write_plugin(plugin, folder / (own.parent if plugin.folder != plugin.path else own))
    return str(own)


def _write_plugin(plugin: FilePlugin, folder: Path) -> None:
    for name, content in plugin.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _submitted(client: "JobSubmissionClient", submission: Submission, loaded: LoadedSpace) -> str:
    """Submit the job with its space file in its working folder; return its id."""
    name = re.sub(r"[^\w.-]", "-", loaded.name, flags=re.ASCII)
    with temp_folder() as folder:
        file_name, plugins = write_files(folder, loaded)
        environment: dict[str, Any] = {"working_dir": str(folder)}
        if submission.ship_code:
            environment["py_modules"] = [str(Path(__file__).parents[2] / package) for package in _PACKAGES]
        try:
            return client.submit_job(
                entrypoint=submission.entrypoint(file_name, plugins),
                submission_id=f"{name}-{secrets.token_hex(4)}",
                runtime_env=environment,
                metadata={"sweep": loaded.name},
            )
        except (OSError, RuntimeError) as error:
            raise UserError(f"--address {submission.address}: the cluster takes no job: {first_line(error)}") from error
