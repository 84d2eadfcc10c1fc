"""The state of a training run between two epochs, as one file (a SHA-256, then safetensors): a resumed run goes on bit for bit."""

import hashlib
import json
from dataclasses import dataclass

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from workers.artifacts import JobFolder
from workers.results import EpochRecord

_FILE = "checkpoint"
_DIGEST_BYTES = 32


@dataclass
class TrainingState:
    """Everything that changes while training: weights, batch-norm statistics, optimiser, generators, history."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    generators: dict[str, torch.Generator]
    history: list[EpochRecord]


class Checkpoint:
    """Saves and restores a `TrainingState` in a job's artifact folder."""

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder

    def save(self, state: TrainingState) -> None:
        tensors = {f"model/{name}": tensor for name, tensor in state.model.state_dict().items()}
        tensors |= {f"optimizer/{name}": tensor for name, tensor in _averages(state.optimizer).items()}
        tensors |= {f"generator/{name}": generator.get_state() for name, generator in state.generators.items()}
        history = json.dumps([record.model_dump() for record in state.history]).encode()
        tensors["history"] = torch.frombuffer(bytearray(history), dtype=torch.uint8)
        content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
        self._folder.save(_FILE, hashlib.sha256(content).digest() + content)

    def restore(self, state: TrainingState) -> None:
        """Bring `state` to where the last `save` left it; an absent or damaged file leaves it at the start."""
        if (stored := self._folder.saved(_FILE)) is None:
            return
        digest, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != digest:
            return
        tensors = load(content)
        state.model.load_state_dict(_under("model/", tensors))
        _set_averages(state.optimizer, _under("optimizer/", tensors))
        for name, generator in state.generators.items():
            generator.set_state(tensors[f"generator/{name}"])
        history = json.loads(tensors["history"].numpy().tobytes())
        state.history[:] = [EpochRecord.model_validate(record) for record in history]

    def discard(self) -> None:
        self._folder.remove(_FILE)


def _averages(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimiser keeps of each parameter (momentum; Adam's moments and step), as `number/name`."""
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
