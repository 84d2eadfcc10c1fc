"""A job's course through its examples, batch by batch: reported after each, saved now and then, taken up again bit for bit."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from safetensors.torch import load, save
from torch import Tensor

from workers.artifacts.artifacts import PROGRESS, JobFolder
from workers.artifacts.results import BatchRecord
from workers.data.device_split import DeviceSplit
from workers.progress import Report, say_nothing

SAVE_SECONDS = 5.0
_DIGEST_BYTES = 32

Found = dict[str, Tensor]
"""What is computed of each example, by name: tensors (examples, ...) on the CPU."""


class ProgressFile:
    """A job's unfinished results in its artifact folder: a SHA-256 over what they belong to and what they are, then safetensors."""

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder

    def write(self, tensors: Found, *, owner: str) -> None:
        content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
        self._folder.save(PROGRESS, _digest(owner, content) + content)

    def read(self, *, owner: str) -> Found | None:
        """What `owner` wrote last; None where there is no file, a damaged one or somebody else's."""
        if (stored := self._folder.saved(PROGRESS)) is None:
            return None
        digest, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        return load(content) if digest == _digest(owner, content) else None

    def discard(self) -> None:
        self._folder.remove(PROGRESS)


def _digest(owner: str, content: bytes) -> bytes:
    return hashlib.sha256(owner.encode() + b"\0" + content).digest()


@dataclass(frozen=True)
class Course:
    """How a job goes through its examples; by default it tells nobody and saves nothing.

    Args:
        key: of the job.
        generators: of everything that the job draws on its way, by name; an interrupted course goes on with their saved states.
        report: called after each batch, and first of all where there is something to take up.
        file: where unfinished results are saved and looked for; None for nowhere.
        save_seconds: the least time between two saves; a save that takes d seconds is followed by four times d times more of it.
    """

    key: str = ""
    generators: Mapping[str, torch.Generator] = field(default_factory=dict)
    report: Report = say_nothing
    file: ProgressFile | None = None
    save_seconds: float = SAVE_SECONDS

    def through(self, data: DeviceSplit, compute: Callable[[slice, Tensor, Tensor], Found], *, batch_size: int) -> Found:
        """What `compute` finds of (the batch's place, its inputs, its labels), joined over all batches."""
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
        """Whose unfinished results can be taken up: the same job's, on the same kind of device, with the same generators."""
        return " ".join([self.key, *(f"{name}:{generator.device.type}" for name, generator in sorted(self.generators.items()))])

    def _saved(self, file: ProgressFile, found: Found) -> float:
        """Save everything; returns when to do so again."""
        began = time.monotonic()
        states = {f"generator/{name}": generator.get_state() for name, generator in self.generators.items()}
        file.write({f"found/{name}": tensor for name, tensor in found.items()} | states, owner=self._owner)
        ended = time.monotonic()
        return ended + self.save_seconds * (1 + 4 * (ended - began))

    def _resumed(self) -> Found:
        """What an earlier attempt found, the generators set to where it left them; nothing where there is nothing."""
        stored = None if self.file is None else self.file.read(owner=self._owner)
        if stored is None:
            return {}
        for name, generator in self.generators.items():
            generator.set_state(stored[f"generator/{name}"])
        return {name.removeprefix("found/"): tensor for name, tensor in stored.items() if name.startswith("found/")}


def _length(found: Found) -> int:
    return len(next(iter(found.values()))) if found else 0


def _joined(parts: list[Found]) -> Found:
    return parts[0] if len(parts) == 1 else {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
