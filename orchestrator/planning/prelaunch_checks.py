"""Checks for errors that can be found before anything runs."""

from collections.abc import Iterable
from pathlib import Path

from workers.components.facts import DatasetInfo
from workers.data.loading import remote, source
from workers.data.loading.parts import number_held_out
from workers.data.loading.remote import DataRoot
from workers.errors import UserError
from workers.spec.component import DataSpec
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec, CorruptSpec, CraftSpec, DiagnoseSpec, EvaluateSpec, SurfaceSpec, TrainSpec


def check_sizes(jobs: Iterable[Job], root: DataRoot = None) -> None:
    """Check that no job requests more examples than its data set has; where that depends on the files, only with a data root.

    Raises:
        UserError: a job requests more.
        DataError: the files in `root` are invalid.
    """
    sizes: dict[DataSpec, tuple[int | None, int | None]] = {}
    trained: dict[str, DataSpec] = {}
    for job in jobs:
        spec = job.spec
        if isinstance(spec, TrainSpec):
            whole = trained[job.key] = spec.data.whole
            if whole not in sizes:
                sizes[whole] = remote.sizes(source(whole), root)
            left, held_out = _left_to_train_on(spec.data, sizes[whole][0])
            _check_size("data.train_examples", spec.data.train_examples, left, f"{whole.name}'s training split{held_out}")
        elif (model_data := trained.get(job.parents["model"])) is not None:
            available = sizes[model_data][1]
            if isinstance(spec, SurfaceSpec):
                _check_example(spec.surface.example, available, f"{model_data.name}'s test split")
                continue
            path, asked = _asked(spec)
            _check_size(path, asked, available, f"{model_data.name}'s test split")


def _left_to_train_on(data: DataSpec, available: int | None) -> tuple[int | None, str]:
    """Return the number of training examples that are not held out, and words for it; of a user's data set, which may have a validation
    split of its own, and of files that tell only when they are read, that of all.

    Raises:
        UserError: none are left.
    """
    if available is None or not data.validation_examples or data.facts.n_train is None or data.component.digest is not None:
        return available, ""
    left = available - number_held_out(data.validation_examples, available)
    if left < 1:
        raise UserError(f"data.validation_examples={data.validation_examples}: must be less than {available}, {data.name}'s training split")
    return left, f" without the {available - left} that are held out"


def _asked(spec: AttackSpec | CorruptSpec | CraftSpec | DiagnoseSpec | EvaluateSpec) -> tuple[str, int | None]:
    """Return the setting that gives a job's number of test examples, and the number."""
    if isinstance(spec, DiagnoseSpec):
        return "diagnosis.examples", spec.diagnosis.examples
    return "evaluation.examples", spec.evaluation.examples


def _check_size(path: str, asked: int | None, available: int | None, split: str) -> None:
    if asked is not None and available is not None and asked > available:
        raise UserError(f"{path}={asked}: must be at most {available}, the size of {split}")


def _check_example(example: int, available: int | None, split: str) -> None:
    if available is not None and example >= available:
        raise UserError(f"surfaces.example={example}: must be in [0, {available - 1}], a place in {split}")


def check_effects(jobs: Iterable[Job]) -> None:
    """Check that what models ask of the layers of their networks (a sketch, ranks, binary weights, a defence in them) finds some to act on.

    Networks are built for that, with torch, unless their facts tell; one that cannot be built here is left to the job that trains it.

    Raises:
        UserError: a model asks for what its network lacks.
    """
    checked = set()
    for job in jobs:
        if not (isinstance(job.spec, TrainSpec) and job.spec.may_lack_layers):
            continue
        model, data, defence = job.spec.model.model_copy(update={"weights": None}), job.spec.data, job.spec.defence
        if (form := (model.model_dump_json(), data.name, str(data.settings), defence.model_dump_json())) in checked:
            continue
        checked.add(form)
        from workers.models.network.network import bare_body
        from workers.models.network.planned_layers import require_effects

        try:
            body = bare_body(model, _info(data), seed=0)
        except Exception:  # noqa: S112 (of any net; the job says it, too)
            continue
        require_effects(body, model, defence)


def _info(data: DataSpec) -> DatasetInfo:
    """Return the data set's info; where only its files tell, one of its kind, on which the kinds of a net's layers hardly depend."""
    if (stated := data.facts.info) is not None:
        return stated
    shape = data.shape or ((3, 32, 32) if data.facts.modality == "image" else (1, 16_000))
    return DatasetInfo(10, shape, (0.5,) * shape[0], (0.5,) * shape[0])


def check_data(jobs: Iterable[Job], root: DataRoot) -> None:
    """Check that the files of every data set that the jobs need are in place.

    Raises:
        DataError: files are missing; the message says which, where they were looked for, and how to get them.
    """
    for data in needed_data(jobs):
        remote.check(source(data), root)


def verify_data(jobs: Iterable[Job], root: DataRoot) -> None:
    """Check that the files of every data set that the jobs need can be used, by reading those that have not been read yet.

    Raises:
        DataError: some are missing or cannot be used; the message says which.
    """
    for data in needed_data(jobs):
        remote.verify(source(data), root)


def needed_data(jobs: Iterable[Job]) -> tuple[DataSpec, ...]:
    """The data sets that the jobs need, all of each, in the order of their names."""
    trained = {job.spec.data for job in jobs if isinstance(job.spec, TrainSpec)}
    needed = {data.whole for data in trained} | {extra for data in trained if (extra := data.extra_data) is not None}
    return tuple(sorted(needed, key=lambda data: (data.name, str(data.settings))))


def check_home(home: Path) -> None:
    """Check that the home folder is permanent.

    Raises:
        UserError: it is in the working folder of a submitted Ray job, which Ray deletes some time after the job's end.
    """
    if "working_dir_files" in home.parts:
        raise UserError(f"--home {home}: Ray deletes this folder after the job; give one that stays, or set ROBUSTSWEEP_HOME on the head")
