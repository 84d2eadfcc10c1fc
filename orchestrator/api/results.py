"""Results as pandas frames and NumPy arrays, for notebooks and programs. Read-only."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orchestrator.api.frames import frame_of_models, frame_of_results, frame_of_rows
from orchestrator.paths import DEFAULT_HOME, Paths
from orchestrator.report.examples.attacked import AttackedExamples, attacked_examples
from orchestrator.store import ResultRow, Store, open_store, parse_conditions, result_rows, sweep_names
from orchestrator.store.connection.read_only_sql import ask
from orchestrator.store.reading.corruption_rows import corruption_rows
from orchestrator.store.reading.example_outcomes import example_numbers, outcomes
from orchestrator.store.reading.job_details import find_key
from orchestrator.store.reading.trained_models import EPOCH_COLUMNS, history, trained_models
from orchestrator.tables.corruptions_table import corruptions_data
from orchestrator.tables.selection import apart, refuse_mixed
from workers.artifacts.per_example import ExampleNumbers
from workers.errors import UserError
from workers.measure.cascade import most_harmful

_HOME_VARIABLE, _STORE_VARIABLE = "ROBUSTSWEEP_HOME", "ROBUSTSWEEP_STORE"
_DATA_VARIABLE, _ARTIFACTS_VARIABLE = "ROBUSTSWEEP_DATA", "ROBUSTSWEEP_ARTIFACTS"


def open_results(where: str | Path | None = None, *, data: str | Path | None = None, artifacts: str | None = None) -> "Results":
    """Open a store for reading.

    Args:
        where: a home folder (which holds `results.db`), or a store's URL (`sqlite:///...`, `postgresql://...`). None: the
            value of `ROBUSTSWEEP_STORE` or `ROBUSTSWEEP_HOME`, else `./sweeps`, as for the commands.
        data: folder or URL of data sets; only examples that were not kept themselves are read there.
        artifacts: folder or URL of jobs' files, for `Results.examples`. None: those of the home folder.

    Raises:
        UserError: there is no store, it cannot be reached, or its schema has another version.
    """
    home, store = Path(os.environ.get(_HOME_VARIABLE) or DEFAULT_HOME), os.environ.get(_STORE_VARIABLE)
    if isinstance(where, str) and "://" in where:
        store = where
    elif where is not None:
        home, store = Path(where), None
    data, artifacts = data or os.environ.get(_DATA_VARIABLE), artifacts or os.environ.get(_ARTIFACTS_VARIABLE)
    paths = Paths.resolve(home=home, store=store, data=data, artifacts=artifacts)
    return Results(open_store(paths.store_url, upgrade=False), paths)


class Results:
    """Read access to a store's results. A context manager; `close` it when done."""

    def __init__(self, store: Store, paths: Paths | None = None) -> None:
        self._store, self._paths = store, paths

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._store.__exit__(kind, error, trace)

    def close(self) -> None:
        self._store.close()

    def sweeps(self) -> list[str]:
        """Return the names of all sweeps, sorted."""
        return sweep_names(self._store)

    def frame(
        self,
        sweep: str | None = None,
        *,
        where: Sequence[str] = (),
        per_repeat: bool = False,
        over_seeds: bool = False,
        worst_case: bool = False,
        rungs: bool = False,
        every_space: bool = False,
        stopped: bool = False,
    ) -> pd.DataFrame:
        """Return the results, a row for each model, attack, knowledge, epsilon and so on, in the order of `robustsweep results`.

        Columns are the fields of `ResultRow`, accuracies and intervals in [0, 1], then the own settings of components and metrics by
        their names (`steps`, `width`, `snr_db`), and other settings of models that differ (`training.learning_rate`). Mappings of
        settings, `rank`, `job_keys` and `reasons` are Python objects.

        Args:
            sweep: its name; None for all of them.
            where: conditions as for `--where`, all of which must hold: `["theta=0.9", "attack=pgd,bim"]`.
            per_repeat: a row for each repeat.
            over_seeds: one row for all models that differ only in their training seed.
            worst_case: the most harmful attack on each example, of all attacks in the same ball.
            rungs: include models that were stopped before the end of their training; their rows have `until`.
            every_space: include what only earlier versions of the sweep's space asked for.
            stopped: include attacks that left a race early; their rows have `asked_examples`. No worst case is over them.

        Raises:
            UserError: no such sweep or field, or `worst_case` with `per_repeat` (the worst attack is chosen by the other repeats).
        """
        if per_repeat and worst_case:
            raise UserError("per_repeat with worst_case: the worst attack is chosen by the other repeats; leave one of them out")
        conditions = parse_conditions(where)
        form = {"per_repeat": per_repeat, "over_seeds": over_seeds, "worst": worst_case, "rungs": rungs, "every_space": every_space}
        rows = result_rows(self._store, sweep, **form, where=conditions, stopped=stopped)
        return frame_of_results(rows)

    def models(self) -> pd.DataFrame:
        """Return all trained models, a row each, sorted by data set, network, theta and key: the columns of `v_models`, and `rank` and
        `defence_settings` as Python objects."""
        found = trained_models(self._store)
        return frame_of_models(found.columns, found.rows)

    def history(self, model_key: str) -> pd.DataFrame:
        """Return a model's training history, a row for each epoch: `epoch`, `loss`, training `accuracy` in [0, 1], `learning_rate`.

        Args:
            model_key: its key, or the first four or more digits.

        Raises:
            UserError: no such model, or several.
        """
        epochs = history(self._store, model_key)
        columns = {name: [epoch[name] for epoch in epochs] for name in EPOCH_COLUMNS}
        return pd.DataFrame({name: pd.Series(values, dtype=EPOCH_COLUMNS[name]) for name, values in columns.items()})

    def outcomes(self, of: ResultRow | Mapping[str, Any] | pd.Series | str | Sequence[str]) -> NDArray[np.bool_]:
        """Return the correctness of each test example (after the attack, if any), shape (jobs, draws, examples): one job for each repeat.

        Examples are in the data set's fixed order, the same for all models.

        Args:
            of: a row of `frame` (`frame.iloc[0]`), or job keys.

        Raises:
            UserError: a job has no evaluations in the store, or the jobs differ in their numbers of examples or draws.
        """
        return outcomes(self._store, _job_keys(of))

    def per_example(self, of: ResultRow | Mapping[str, Any] | pd.Series | str | Sequence[str]) -> pd.DataFrame:
        """Return what one evaluation or attack says of each test example, a row each, in the data set's fixed order; of several jobs, of a
        worst case or of repeats, what that one says under which the example does worst.

        Columns: `right`, the share of its draws in which the example was classified right; `predicted`, the class of the mean logits;
        `margin`, the mean of the true class's logit less the largest other one; `size` of the perturbation in the attack's norm and
        input units, of a minimum-norm attack the smallest that succeeded (infinite where none did); `job`, the key of the job. What a
        result of an older version does not have is NaN.

        Args:
            of: a row of `frame` (`frame.iloc[0]`), or job keys.

        Raises:
            UserError: a job has no evaluations in the store, or the jobs evaluated different numbers of examples.
        """
        keys = _job_keys(of)
        correct = [outcomes(self._store, [key])[0] for key in keys]
        if len(sizes := {flags.shape[1] for flags in correct}) > 1:
            raise UserError(f"jobs on {' and '.join(map(str, sorted(sizes)))} examples: must be of the same examples")
        numbers = [example_numbers(self._store, key) for key in keys]
        worst = most_harmful(correct, [found.margins for found in numbers])
        frames = [_of_each(key, flags.mean(axis=0), found) for key, flags, found in zip(keys, correct, numbers, strict=True)]
        if len(frames) == 1:
            return frames[0]
        return pd.concat([frame[worst == place] for place, frame in enumerate(frames)]).sort_index()

    def examples(self, of: Mapping[str, Any] | pd.Series | str) -> AttackedExamples:
        """Return the adversarial examples of an attack, next to the clean ones and with predictions; a notebook shows them as pictures.

        Args:
            of: a row of `frame`, or the key of an attack or craft job or its first four or more digits. Attacks with `keep_examples`
                keep their first examples, those of knowledge omniscient or transfer all of them.

        Raises:
            UserError: no such job, or it keeps none, or it is not known where the jobs' files are.
            DataError: the data set's files are not there.
        """
        if self._paths is None:
            raise UserError("examples: where the jobs' files are is not known; open the results with open_results")
        key = find_key(self._store, of) if isinstance(of, str) else of["job_keys"][0]
        return attacked_examples(self._store, self._paths.artifacts, key, root=self._paths.data_root)

    def corruptions(self, sweep: str | None = None) -> pd.DataFrame:
        """Return the accuracies under common corruptions, a row for each model, corruption and severity, in [0, 1] with 95 % intervals.

        Args:
            sweep: its name; None for all of them.

        Raises:
            UserError: no such sweep.
        """
        found = corruptions_data(corruption_rows(self._store, sweep))
        return frame_of_rows([column.name for column in found.columns], found.rows)

    def query(self, statement: str, *, timeout: float = 60.0, force: bool = False) -> pd.DataFrame:
        """Return the rows of one SELECT on the views (`v_results`, `v_corruptions`, ...). Other statements are refused.

        Args:
            statement: the SELECT, which may use WITH, the tables behind the views, and functions that compute.
            timeout: seconds after which it is stopped.
            force: ask PostgreSQL even with a role that may run programs or read files there, and is no superuser.

        Raises:
            UserError: the statement is wrong, does more than read, or takes longer.
        """
        answer = ask(self._store, statement, timeout=timeout, force=force)
        return frame_of_rows(answer.columns, answer.rows)


def _job_keys(of: ResultRow | Mapping[str, Any] | pd.Series | str | Sequence[str]) -> list[str]:
    """Return the keys of the jobs of a row, or those that are given."""
    if isinstance(of, str):
        return [of]
    if isinstance(of, ResultRow):
        return list(of.job_keys)
    return list(of["job_keys"] if isinstance(of, Mapping | pd.Series) else of)


def _of_each(key: str, right: NDArray[np.float64], numbers: ExampleNumbers) -> pd.DataFrame:
    kinds = {"predicted": (numbers.classes, "Int64"), "margin": (numbers.margins, "float64"), "size": (numbers.sizes, "float64")}
    known = {name: pd.Series(found, index=range(len(right)), dtype=kind) for name, (found, kind) in kinds.items()}
    return pd.DataFrame({"right": right, **known, "job": key}, index=pd.RangeIndex(len(right), name="example"))


def pivot(
    frame: pd.DataFrame, *, index: str | Sequence[str], columns: str | Sequence[str], values: str = "robust_accuracy", across: str = ""
) -> pd.DataFrame:
    """Return means of a frame of results, as pandas' `pivot_table`, but never over what is not to be mixed; a setting that is empty
    (`clip_norm: null`) has a row like others.

    Args:
        frame: of `Results.frame`; rows without attack are left out.
        index: columns of the frame that make the rows; of a setting's name the last part, `learning_rate`, where no other ends so.
        columns: those that make the columns.
        values: the column that is averaged.
        across: fields, separated by commas, which are averaged over though rows differ in them: `"knowledge"`.

    Raises:
        UserError: the frame has no such column, or a mean would mix sweeps, data sets, attacks, knowledge, norms or epsilons.
    """
    down, along = ([_column(frame, name) for name in ([names] if isinstance(names, str) else names)] for names in (index, columns))
    values = _column(frame, values)
    attacked = frame[frame["attack"] != "none"]
    groups = [members for _, members in attacked.groupby([*down, *along], dropna=False)]
    kept = [name for name in apart([*down, *along], across) if name in frame.columns]
    refuse_mixed(((name, members[name]) for members in groups for name in kept), ",".join([*down, *along]))
    means = attacked.groupby([*down, *along], sort=False, dropna=False)[values].mean()
    return means.unstack(along, sort=False)


def _column(frame: pd.DataFrame, name: str) -> str:
    """The column of a name, or the only one that ends so."""
    if name in frame.columns:
        return name
    found = [str(column) for column in frame.columns if str(column).rpartition(".")[2] == name]
    if len(found) > 1:
        raise UserError(f"'{name}': several columns are called so; one of {', '.join(found)}")
    if not found:
        raise UserError(f"'{name}': no column of the frame; one of {', '.join(map(str, frame.columns))}")
    return found[0]
