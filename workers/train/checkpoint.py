"""The state of a training run between two epochs, as one file (a SHA-256, then safetensors): a resumed run continues bit for bit."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from workers.artifacts.artifacts import CHECKPOINT, JobFolder
from workers.artifacts.outcomes import EpochRecord
from workers.errors import StorageError
from workers.train.chosen_weights import BestWeights, WeightAverage

_PAST = "past"
_DIGEST_BYTES = 32


@dataclass
class TrainingState:
    """Everything that changes while training: weights, batch-norm statistics, averages, best weights, optimiser, generators, history."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    generators: dict[str, torch.Generator]
    history: list[EpochRecord]
    average: WeightAverage | None = None
    best: BestWeights | None = None


class Checkpoint:
    """File of a `TrainingState` in a job's artifact folder.

    Args:
        folder: of the job that trains.
        owner: id of the training; a state of another owner is never restored.
        earlier: the folder of a job with the same owner that stopped at an earlier epoch: read where `folder` has no state.
    """

    def __init__(self, folder: JobFolder, *, owner: str = "", earlier: JobFolder | None = None) -> None:
        self._folder, self._owner, self._earlier = folder, owner, earlier
        self.resumed: str | None = None
        """Key of the earlier job whose training this one continues, once restored; this job's own earlier attempts do not count."""

    def save(self, state: TrainingState) -> None:
        tensors = {f"model/{name}": tensor for name, tensor in state.model.state_dict().items()}
        tensors |= {f"optimizer/{name}": tensor for name, tensor in _averages(state.optimizer).items()}
        tensors |= {f"generator/{name}": generator.get_state() for name, generator in state.generators.items()}
        tensors |= {f"average/{name}": tensor for name, tensor in (state.average.tensors if state.average else {}).items()}
        tensors |= {f"best/{name}": tensor for name, tensor in (state.best.tensors if state.best else {}).items()}
        tensors[_PAST] = _as_bytes({"resumed": self.resumed, "history": [record.model_dump(exclude_none=True) for record in state.history]})
        content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
        self._folder.save(CHECKPOINT, self._digest(content) + content)

    def restore(self, state: TrainingState, *, last: int) -> None:
        """Restore `state` from the last `save`, in this folder or the earlier one. It is unchanged where the file is missing, damaged,
        beyond epoch `last`, or of generators of another kind of device."""
        for folder in filter(None, (self._folder, self._earlier)):
            tensors = self._read(folder)
            if tensors is not None and _fits(tensors, state, last=last):
                past = _from_bytes(tensors[_PAST])
                self.resumed = past["resumed"] if folder is self._folder else folder.key
                _set_state(state, tensors, past["history"])
                return

    def _read(self, folder: JobFolder) -> dict[str, Tensor] | None:
        """Return the tensors that the owner saved there last; None where there is no file, a damaged one or another owner's."""
        try:
            stored = folder.saved(CHECKPOINT)
        except StorageError:
            stored = None
        if stored is None:
            return None
        digest, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        return load(content) if digest == self._digest(content) else None

    def _digest(self, content: bytes) -> bytes:
        return hashlib.sha256(self._owner.encode() + b"\0" + content).digest()

    def discard(self) -> None:
        self._folder.remove(CHECKPOINT)


def _fits(tensors: dict[str, Tensor], state: TrainingState, *, last: int) -> bool:
    sizes = {name: tensors[f"generator/{name}"].numel() for name in state.generators}
    alike = sizes == {name: generator.get_state().numel() for name, generator in state.generators.items()}
    return alike and len(_from_bytes(tensors[_PAST])["history"]) <= last


def _set_state(state: TrainingState, tensors: dict[str, Tensor], history: list[dict[str, Any]]) -> None:
    state.model.load_state_dict(_under("model/", tensors))
    _set_averages(state.optimizer, _under("optimizer/", tensors))
    if state.average is not None:
        state.average.restore(_under("average/", tensors))
    if state.best is not None:
        state.best.restore(_under("best/", tensors))
    for name, generator in state.generators.items():
        generator.set_state(tensors[f"generator/{name}"])
    state.history[:] = [EpochRecord.model_validate(record) for record in history]


def _as_bytes(values: dict[str, Any]) -> Tensor:
    return torch.frombuffer(bytearray(json.dumps(values).encode()), dtype=torch.uint8)


def _from_bytes(tensor: Tensor) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tensor.numpy().tobytes())
    return found


def _averages(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's state of each parameter (momentum; Adam's moments and step), as `number/name`."""
    kept = optimizer.state_dict()["state"]
    return {f"{number}/{name}": tensor for number, held in kept.items() for name, tensor in held.items() if tensor is not None}


def _set_averages(optimizer: torch.optim.Optimizer, averages: dict[str, Tensor]) -> None:
    held: dict[int, dict[str, Tensor]] = {}
    for path, tensor in averages.items():
        number, _, name = path.partition("/")
        held.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": held})


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
