"""Loop over a job's examples, batch by batch: reported after each, saved periodically, resumed bit for bit."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from safetensors.torch import load, save
from torch import Tensor

from workers.artifacts.artifacts import PROGRESS, JobFolder
from workers.artifacts.outcomes import BatchRecord
from workers.data.loading.device_split import DeviceSplit
from workers.progress import Report, say_nothing

SAVE_SECONDS = 5.0
_OUTPUTS = "2"  # raised with what a job computes for each example
_DIGEST_BYTES = 32

Found = dict[str, Tensor]
"""Outputs computed for each example, by name: tensors (examples, ...) on the CPU; some may be of the first examples alone."""


class ProgressFile:
    """A job's unfinished results in its artifact folder: a SHA-256 over their owner and their content, then safetensors."""

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder

    def write(self, tensors: Found, *, owner: str) -> None:
        content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
        self._folder.save(PROGRESS, _digest(owner, content) + content)

    def read(self, *, owner: str) -> Found | None:
        """Return the results that `owner` wrote last; None where there is no file, a damaged one or another owner's."""
        if (stored := self._folder.saved(PROGRESS)) is None:
            return None
        digest, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        return load(content) if digest == _digest(owner, content) else None

    def discard(self) -> None:
        self._folder.remove(PROGRESS)


def _digest(owner: str, content: bytes) -> bytes:
    return hashlib.sha256(owner.encode() + b"\0" + content).digest()


@dataclass(frozen=True)
class ResumableLoop:
    """A resumable loop over a job's examples; by default it neither reports nor saves anything.

    Args:
        key: of the job.
        generators: of everything that the job draws, by name; an interrupted loop resumes with their saved states.
        report: called after each batch, and once at the start where the job is resumed.
        file: the file to which unfinished results are saved and from which they are resumed; None for neither.
        save_seconds: the least time between two saves, lengthened by the factor 1 + 4 d after a save that takes d seconds.
    """

    key: str = ""
    generators: Mapping[str, torch.Generator] = field(default_factory=dict)
    report: Report = say_nothing
    file: ProgressFile | None = None
    save_seconds: float = SAVE_SECONDS

    def through(self, data: DeviceSplit, compute: Callable[[slice, Tensor, Tensor], Found], *, batch_size: int) -> Found:
        """Call `compute` with (the batch's place, its inputs, its labels) for each batch; return the outputs joined over all batches."""
        found = self._resumed()
        before = done = _length(found)
        total, parts = len(data), [found] if found else []
        if before:
            self.report(BatchRecord(done=done, total=total, before=before))
        next_save = time.monotonic() + self.save_seconds
        for start in range(done, total, batch_size):
            place = slice(start, start + batch_size)
            parts.append(compute(place, *data.batch(place)))
            done = min(place.stop, total)
            if self.file is not None and done < total and time.monotonic() >= next_save:
                parts = [_joined(parts)]
                next_save = self._saved(self.file, parts[0])
            self.report(BatchRecord(done=done, total=total, before=before))
        return _joined(parts)

    @property
    def _owner(self) -> str:
        """Owner of the unfinished results that can be resumed: the same job, on the same kind of device, with the same generators; by the
        versions of robustsweep that compute the same outputs."""
        return " ".join([self.key, _OUTPUTS, *(f"{name}:{generator.device.type}" for name, generator in sorted(self.generators.items()))])

    def _saved(self, file: ProgressFile, found: Found) -> float:
        """Save everything; return the time of the next save."""
        began = time.monotonic()
        states = {f"generator/{name}": generator.get_state() for name, generator in self.generators.items()}
        file.write({f"found/{name}": tensor for name, tensor in found.items()} | states, owner=self._owner)
        ended = time.monotonic()
        return ended + self.save_seconds * (1 + 4 * (ended - began))

    def _resumed(self) -> Found:
        """Return the results of an earlier attempt and restore its generators' states; empty where there are none."""
        stored = None if self.file is None else self.file.read(owner=self._owner)
        if stored is None:
            return {}
        for name, generator in self.generators.items():
            generator.set_state(stored[f"generator/{name}"])
        return {name.removeprefix("found/"): tensor for name, tensor in stored.items() if name.startswith("found/")}


def _length(found: Found) -> int:
    return max(map(len, found.values()), default=0)


def _joined(parts: list[Found]) -> Found:
    return parts[0] if len(parts) == 1 else {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
