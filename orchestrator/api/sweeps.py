"""Sweeps from Python: launched, planned, and looked at."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from orchestrator.api.frames import frame_of_rows
from orchestrator.api.results import Results
from orchestrator.executors.base import ExecutorName, Resources
from orchestrator.launching.drive import SIGNAL_CODE
from orchestrator.launching.launch import LaunchOptions
from orchestrator.launching.launch import launch as run_launch
from orchestrator.launching.preview import preview_plan
from orchestrator.naming.names import slug
from orchestrator.paths import DEFAULT_HOME, Paths, write_atomically
from orchestrator.planning import MAX_JOBS
from orchestrator.planning.plan import Plan
from orchestrator.report.examples.attacked import AttackedExamples
from orchestrator.store import Store, failures, model_verdicts, open_store, sweep_status
from orchestrator.store.reading.job_details import find_key
from orchestrator.tables.plan_table import render_plan
from orchestrator.tables.status_table import render_status
from orchestrator.terminal.console import Terminal, preformatted, printed
from search_spaces import load_space
from workers.errors import UserError
from workers.spec.fields import SplitName

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from workers.models.network.network import Network

SpaceLike = str | Path | Mapping[str, Any]
"""A built-in space's name, the path of a YAML file, or the space itself as nested mappings, with its `name`."""
Overrides = Mapping[str, Any] | Sequence[str]
"""Fields of the space to set: `{"model.theta": [0.9, 1.0]}`, or as on the command line `["model.theta=0.9"]`."""


def launch(  # noqa: PLR0913 (each is an option of the command)
    space: SpaceLike,
    *,
    home: str | Path = DEFAULT_HOME,
    set: Overrides = (),  # noqa: A002 (as on the command line)
    data: str | Path | None = None,
    store: str | None = None,
    artifacts: str | None = None,
    executor: ExecutorName = "auto",
    address: str | None = None,
    workers: int | None = None,
    cpus_per_job: int = 1,
    gpus_per_train: float | None = None,
    gpus_per_attack: float | None = None,
    memory_per_job: int | None = None,
    max_failures: int = 2,
    max_jobs: int = MAX_JOBS,
    download: bool = False,
    mirror: Sequence[str] = (),
) -> "Sweep":
    """Run every job of a space that has no result yet; return the sweep. The same call continues after any interruption.

    The arguments are the options of `robustsweep launch`; `memory_per_job` is in bytes. A space that is a mapping is kept as
    `HOME/spaces/NAME.yaml`, from where the command line continues it. Progress is a bar in a notebook, else printed as in a terminal.
    Jobs that fail do not raise: see `Sweep.failures`.

    Raises:
        UserError: nothing was started, for a reason that the user can fix.
        KeyboardInterrupt: it was stopped; what was done is kept.
    """
    paths = Paths.resolve(home=Path(home), store=store, data=data, artifacts=artifacts)
    written, overrides = _written(space, paths.home / "spaces"), _overrides(set)
    options = LaunchOptions(
        space=written,
        paths=paths,
        overrides=overrides,
        executor=executor,
        address=address,
        resources=Resources(cpus_per_job, gpus_per_train, gpus_per_attack, workers, memory_per_job),
        max_failures=max_failures,
        max_jobs=max_jobs,
        download=download,
        mirror=tuple(mirror),
    )
    if run_launch(options, Terminal()) > SIGNAL_CODE:
        raise KeyboardInterrupt
    return Sweep(load_space(written, overrides).name, paths)


def plan(
    space: SpaceLike,
    *,
    home: str | Path = DEFAULT_HOME,
    set: Overrides = (),  # noqa: A002 (as on the command line)
    store: str | None = None,
    artifacts: str | None = None,
    max_jobs: int = MAX_JOBS,
) -> "SweepPlan":
    """Return what `launch` would run; nothing is run or written.

    Raises:
        UserError: the space is wrong.
    """
    paths = Paths.resolve(home=Path(home), store=store, artifacts=artifacts)
    with tempfile.TemporaryDirectory() as folder:
        name, found = preview_plan(_written(space, Path(folder)), _overrides(set), paths, max_jobs=max_jobs)
    return SweepPlan(name, found)


def sweep(name: str, *, home: str | Path = DEFAULT_HOME, data: str | Path | None = None, store: str | None = None) -> "Sweep":
    """Open a sweep that was launched, by its name.

    Raises:
        UserError: there is no such sweep or store.
    """
    found = Sweep(name, Paths.resolve(home=Path(home), store=store, data=data))
    with found.opened() as opened:
        sweep_status(opened, name)
    return found


def _overrides(given: Overrides) -> tuple[str, ...]:
    if isinstance(given, Mapping):
        return tuple(f"{path}={value if isinstance(value, str) else json.dumps(value)}" for path, value in given.items())
    if isinstance(given, str):
        raise UserError(f"set={given!r}: a list of PATH=VALUE, or a mapping of paths to values")
    return tuple(given)


def _written(space: SpaceLike, folder: Path) -> str:
    """The space as the loader takes it; one that is a mapping is written into the folder first, its plugins with absolute paths."""
    if not isinstance(space, Mapping):
        return str(space)
    name = space.get("name")
    if not isinstance(name, str) or not name:
        raise UserError("space: a mapping needs a name, {'name': 'my-sweep', ...}")
    plugins = [str(Path(plugin).absolute()) if Path(plugin).exists() else plugin for plugin in space.get("plugins", ())]
    path = folder / f"{slug(name)}.yaml"
    write_atomically(path, yaml.safe_dump({**space, **({"plugins": plugins} if plugins else {})}, sort_keys=False).encode())
    return str(path)


@dataclass(frozen=True)
class SweepPlan:
    """Jobs of a space: those to run, and those that have results. Shown as the table of `robustsweep plan`."""

    name: str
    plan: Plan

    def __len__(self) -> int:
        """Number of jobs to run."""
        return len(self.plan.to_run)

    def __repr__(self) -> str:
        return printed(render_plan(self.name, self.plan, every_job=False))

    def _repr_html_(self) -> str:
        return preformatted(repr(self))


class Sweep:
    """A sweep in a home: its results, verdicts, figures, models and examples. Read anew at each call, so also while it runs."""

    def __init__(self, name: str, paths: Paths) -> None:
        self.name, self._paths = name, paths

    def __repr__(self) -> str:
        with self.opened() as store:
            return printed(render_status(sweep_status(store, self.name), "table"))

    def _repr_html_(self) -> str:
        return preformatted(repr(self))

    @contextmanager
    def opened(self) -> Iterator[Store]:
        """The store, open for reading."""
        with open_store(self._paths.store_url, upgrade=False) as store:
            yield store

    def results(self, **options: Any) -> pd.DataFrame:
        """Return the results, a row for each model, attack and so on; the options are those of `Results.frame`."""
        with self.opened() as store:
            return Results(store).frame(self.name, **options)

    def verdicts(self) -> pd.DataFrame:
        """Return a row for each check of each model: `model_key`, `model`, `verdict`, `check`, `outcome`, `reason`."""
        with self.opened() as store:
            found = model_verdicts(store, self.name)
        columns = ("model_key", "model", "verdict", "check", "outcome", "reason")
        rows = [
            (one.model_key, one.description, one.verdict, check.name, check.outcome, check.reason) for one in found for check in one.checks
        ]
        return pd.DataFrame(rows, columns=list(columns))

    def best(self, *, epsilon: str | None = None, any_verdict: bool = False, split: SplitName | None = None) -> pd.DataFrame:
        """Return the Pareto-optimal models, as `robustsweep best` prints them: what varies, each objective with its interval, verdict, key.

        A grid's are chosen on `split`, by default `validation` where there are results on it. A choice on `test` is counted.

        Raises:
            UserError: nothing has been measured, or `epsilon` is needed or wrong.
        """
        from orchestrator.launching.count_looks import count_looks
        from orchestrator.report.study import BestOptions, choose_best

        choice = choose_best(BestOptions(paths=self._paths, sweep=self.name, epsilon=epsilon, any_verdict=any_verdict, split=split))
        count_looks(self._paths.store_url, self.name, choice.looked_at)
        found = choice.table.seen_by("programs")
        return frame_of_rows([column.name for column in found.columns], found.rows)

    def failures(self) -> pd.DataFrame:
        """Return the failed jobs: `job_key`, `job`, `error`."""
        with self.opened() as store:
            found = failures(store, self.name)
        return pd.DataFrame([(one.key, one.description, one.error) for one in found], columns=["job_key", "job", "error"])

    def outcomes(self, of: Any) -> NDArray[np.bool_]:
        """Return the correctness of each test example, (jobs, draws, examples); `of` is a row of `results` or job keys."""
        with self.opened() as store:
            return Results(store).outcomes(of)

    def figure(self, name: str = "accuracy_epsilon", *, of: str | None = None) -> "go.Figure":
        """Return a figure of the report, for Plotly.

        Args:
            name: `summary` (the worst case), `accuracy_epsilon`, `smallest` (curves from minimum-norm attacks), `pareto`, `heat_map`,
                `cost`, `training`, `difficulty` or `surfaces`.
            of: which one, where there are several (an attack's, a model's): a part of its label or title. None: the first.

        Raises:
            UserError: no such figure, or nothing to draw it from.
        """
        from orchestrator.report.sweep_page.page_data import gather
        from orchestrator.report.sweep_page.sections import FIGURES, sections

        if name not in FIGURES:
            raise UserError(f"figure '{name}': one of {', '.join(FIGURES)}")
        with self.opened() as store:
            evidence = gather(store, self._paths.artifacts, self.name)
        section = next(section for section in sections(evidence) if section.name == FIGURES[name])
        titled = {f"{label} {picture.title}".strip(): picture for label, pictures in section.choices.items() for picture in pictures}
        if not titled:
            raise UserError(f"figure '{name}': {section.fill}")
        chosen = [title for title in titled if of is None or of in title]
        if not chosen:
            raise UserError(f"of={of!r}: no figure '{name}' has it in its title; one of {'; '.join(titled)}")
        return _titled(titled[chosen[0]].figure, chosen[0])

    def model(self, key: str, *, seed: int = 0) -> "Network":
        """Return a trained model, on the CPU and in eval mode: inputs (batch, *shape) in the data set's units to logits.

        Args:
            key: of its training job, or the first four or more digits.
            seed: of its draws, where it is randomised; `.seed(n)` sets another.

        Raises:
            UserError: no such model, or several.
            ArtifactError: its files are not there.
        """
        from workers.runtime.stored_models import load_model

        network, _ = load_model(self._paths.artifacts, self._key(key))
        network.seed(seed)
        return network

    def examples(self, of: Mapping[str, Any] | pd.Series | str) -> AttackedExamples:
        """Return the adversarial examples of an attack, next to the clean ones and their labels; a notebook shows them as pictures.

        Args:
            of: a row of `results`, or the key of an attack or craft job or its first four or more digits. Attacks with `keep_examples`
                keep their first examples, those of knowledge omniscient or transfer all of them.

        Raises:
            UserError: no such job, or it keeps none.
            DataError: the data set's files are not there; `sweep(..., data=DIR)` says where they are.
        """
        with self.opened() as store:
            return Results(store, self._paths).examples(of)

    def _key(self, digits: str) -> str:
        with self.opened() as store:
            return find_key(store, digits)


def _titled(figure: "go.Figure", title: str) -> "go.Figure":
    """The figure as it is seen by itself: on white, with its title."""
    from orchestrator.report.figures.picture import plain
    from orchestrator.report.figures.theme import TEMPLATES

    return figure.update_layout(template=TEMPLATES["light"], title_text=plain(title), margin_t=48)
