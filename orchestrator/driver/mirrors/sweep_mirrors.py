"""All mirrors of one sweep: told of its trainings and results by the driver, or given those of a sweep that has run."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Self

from orchestrator.driver.mirrors.entry import Entry, MirroredModel, epoch_entry, result_entries
from orchestrator.driver.mirrors.mirror import Mirror
from orchestrator.driver.mirrors.targets import Target, parse_target
from orchestrator.naming.names import JobNames
from workers.artifacts.outcomes import EpochRecord, Result
from workers.spec.job import Job

_LAST_SECONDS = 10.0


class SweepMirrors:
    """Observer of a running sweep that hands everything on to its mirrors, and waits for none of them."""

    def __init__(self, mirrors: Sequence[Mirror], *, sweep: str) -> None:
        self._mirrors, self._sweep = mirrors, sweep
        self._models: dict[str, MirroredModel] = {}
        self._epochs: dict[str, int] = {}

    @classmethod
    @contextmanager
    def opened(cls, names: Sequence[str], *, sweep: str, say: Callable[[str], None], later: Callable[[str], str]) -> Iterator[Self]:
        """Mirror to the targets of these names inside the context; say at its end what was not mirrored, a line for each of them, with the
        command of `later` that mirrors it then."""
        targets = [parse_target(name) for name in names]
        mirrors = [Mirror(target.name, partial(target.make, False)) for target in targets]
        try:
            yield cls(mirrors, sweep=sweep)
        finally:
            for mirror in mirrors:
                if (lost := mirror.close(seconds=_LAST_SECONDS)) is not None:
                    say(f"--mirror {lost}; later: {later(mirror.name)}")

    def epoch(self, job: Job, record: EpochRecord, names: JobNames) -> None:
        """Mirror an epoch of a training, unless an earlier attempt has come as far."""
        if record.epoch > self._epochs.get(job.key, -1):
            self._epochs[job.key] = record.epoch
            self._put(epoch_entry(self._model(job, names), record))

    def finished(self, job: Job, result: Result, names: JobNames) -> None:
        """Mirror a result, and the epochs of its training that were not told of before."""
        for entry in result_entries(self._model(job, names), job, result, after=self._epochs.get(job.key, -1)):
            self._put(entry)

    def _put(self, entry: Entry) -> None:
        for mirror in self._mirrors:
            mirror.put(entry)

    def _model(self, job: Job, names: JobNames) -> MirroredModel:
        """The model of a job, by the name that it had when it was first met: more settings may vary later."""
        key = job.parents.get("model", job.key)
        if key not in self._models:
            self._models[key] = MirroredModel.of(job, names, sweep=self._sweep)
        return self._models[key]


def mirror_results(found: Iterable[tuple[Job, Result]], names: JobNames, target: Target, *, sweep: str) -> tuple[int, int]:
    """Send the results of a sweep that has run to a target, trainings first; return the numbers of models and of entries.

    Raises:
        OSError: the target cannot be reached or written.
        Exception: it refuses an entry.
    """
    models: dict[str, MirroredModel] = {}
    sent = 0
    for job, result in found:
        model = models.setdefault(job.parents.get("model", job.key), MirroredModel.of(job, names, sweep=sweep))
        for entry in result_entries(model, job, result):
            target.write(entry)
            sent += 1
    target.close()
    return len(models), sent
