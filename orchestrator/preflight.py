"""What can be known to fail before anything runs."""

from collections.abc import Iterable
from pathlib import Path

from workers.data import DATASETS
from workers.errors import UserError
from workers.specs import Job, TrainSpec


def check_sizes(jobs: Iterable[Job]) -> None:
    """Check that every job asks for no more examples than its data set has.

    Raises:
        UserError: one asks for more.
    """
    names = {}
    for job in jobs:
        if isinstance(job.spec, TrainSpec):
            source = DATASETS[job.spec.data.name]
            names[job.key] = job.spec.data.name
            _check_size("data.train_examples", job.spec.data.train_examples, source.n_train, f"{job.spec.data.name}'s training split")
        elif (name := names.get(job.parents["model"])) is not None:
            _check_size("evaluation.examples", job.spec.evaluation.examples, DATASETS[name].n_test, f"{name}'s test split")


def _check_size(path: str, asked: int | None, available: int, split: str) -> None:
    if asked is not None and asked > available:
        raise UserError(f"{path}={asked}: must be at most {available}, the size of {split}")


def check_data(jobs: Iterable[Job], root: Path | None) -> None:
    """Check that the files of every data set that the jobs need are in place.

    Raises:
        DataError: files are missing; the message says which, where they were looked for, and how to get them.
    """
    for name in sorted({job.spec.data.name for job in jobs if isinstance(job.spec, TrainSpec)}):
        DATASETS[name].check(root)
