"""Weights as tensors: read from a file or an artifact, and put into a network, with every mismatch named."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save
from torch import Tensor, nn

from workers.errors import JobError, UserError, first_line
from workers.weights.digest import BODY, StoredTensor, digest_of, stripped
from workers.weights.place import SAFE

_NESTED = ("state_dict", "model_state_dict", "model", "net", "ema_state_dict", "state_dict_ema")
_MOST_NAMED = 5
_TYPES = {
    **{torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.bool: "BOOL"},
    **{torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8"},
}
_COUNTER = "num_batches_tracked"  # of batch norm; older checkpoints lack it, and nothing computes with it


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return a file's tensors by name, on the CPU, without the prefixes that all names have (see `stripped`).

    Raises:
        UserError: the file is unreadable, holds anything but tensors, or no state dict; the message says how to convert it.
    """
    try:
        found = load_file(path) if path.suffix in SAFE else _state_dict(_unpickled(path), path)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"weights {path}: holds more than tensors, and code in it would run with your rights; "
            f"convert it where you trust it: torch.save(torch.load({path.name!r}, weights_only=False).state_dict(), 'weights.pt')"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, SafetensorError) as error:
        if "TorchScript" in str(error):
            convert = f"torch.save(torch.jit.load({path.name!r}).state_dict(), 'weights.pt')"
            raise UserError(f"weights {path}: is a TorchScript program; convert it where you trust it: {convert}") from error
        raise UserError(f"weights {path}: is no {path.suffix} file of tensors, or damaged: {first_line(error)}") from error
    return _checked(found, path)


def _unpickled(path: Path) -> Any:
    with warnings.catch_warnings(action="ignore"):  # of how the file was written: it is read, or refused in one line
        return torch.load(path, map_location="cpu", weights_only=True)


def _state_dict(content: Any, path: Path) -> dict[str, Any]:
    """The state dict of a checkpoint, which may be one, or hold one under a usual name."""
    while isinstance(content, Mapping) and (nested := next((name for name in _NESTED if isinstance(content.get(name), Mapping)), None)):
        content = content[nested]
    if isinstance(content, Mapping) and content and all(isinstance(value, Tensor) for value in content.values()):
        return dict(content)
    if not isinstance(content, Mapping):
        held = f"a {type(content).__name__}"
    else:
        others = [f"{name} ({type(value).__name__})" for name, value in content.items() if not isinstance(value, Tensor)]
        held = f"{_listed(others)}" if others else "nothing"
    raise UserError(f"weights {path}: is no state dict (names with tensors, or one under {', '.join(_NESTED[:3])}, ...): it holds {held}")


def _checked(found: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    strange = [f"{name} ({tensor.dtype})" for name, tensor in found.items() if tensor.dtype not in _TYPES or tensor.layout != torch.strided]
    if strange:
        raise UserError(f"weights {path}: tensors of a kind that no network here has: {_listed(strange)}")
    bad = [name for name, tensor in found.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if bad:
        raise UserError(f"weights {path}: not finite: {_listed(bad)}")
    return {short: found[name].detach() for name, short in stripped(found).items()}


def stored(tensors: Mapping[str, Tensor]) -> dict[str, StoredTensor]:
    """Return tensors as they are stored, for their digest."""
    return {
        name: StoredTensor(_TYPES[tensor.dtype], tuple(tensor.shape), tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
        for name, tensor in tensors.items()
    }


def digest_of_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Return the digest of weights (see `workers.weights.digest`)."""
    return digest_of(stored(tensors))


def body_of(content: bytes) -> dict[str, Tensor]:
    """Return the tensors of the bare network in a trained model's file."""
    found = {name: tensor for name, tensor in load(content).items() if name.startswith(BODY)}
    return {short: found[name] for name, short in stripped(found).items()}


def to_safetensors(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors as a safetensors file; those that share memory are stored each by itself."""
    return save({name: tensor.cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()})


def from_safetensors(content: bytes, *, digest: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file that was stored under their digest.

    Raises:
        JobError: they are not those.
    """
    try:
        tensors = load(content)
        sound = digest_of_tensors(tensors) == digest
    except (SafetensorError, KeyError) as error:
        raise JobError(f"weights {digest[:12]}: their copy among the artifacts is damaged: {first_line(error)}") from error
    if not sound:
        raise JobError(f"weights {digest[:12]}: their copy among the artifacts has changed; remove it and launch again")
    return tensors


@torch.no_grad()
def load_into(body: nn.Module, tensors: Mapping[str, Tensor], *, renamed: Mapping[str, str] | None = None, name: str) -> None:
    """Copy weights into a network, in its own types; every tensor of it must get its value, and every weight its place.

    Args:
        body: the bare network.
        tensors: by names without common prefixes (see `stripped`).
        renamed: beginnings of the weights' names, and what the network has instead; the first that matches counts.
        name: of the network, for messages.

    Raises:
        JobError: tensors are missing, left over, of another shape, or whole numbers where the network has others; of each kind the first
            are named.
    """
    own = body.state_dict(keep_vars=True)
    short = {there: here for here, there in stripped(own).items()}
    found = {short.get(given, given): tensor for given, tensor in _renamed(tensors, renamed or {}).items()}
    filled = {id(own[key]) for key in found if key in own}  # one tensor may have several names
    missing = [key for key in own if key not in found and id(own[key]) not in filled and not key.endswith(_COUNTER)]
    unexpected = [key for key in found if key not in own]
    shapes = [
        f"{key} ({_shape(found[key])}, the model's {_shape(own[key])})"
        for key in own
        if key in found and found[key].shape != own[key].shape
    ]
    kinds = [
        f"{key} ({_TYPES[found[key].dtype]}, the model's {_TYPES[own[key].dtype]})"
        for key in own
        if key in found and found[key].is_floating_point() < own[key].is_floating_point()  # of a quantised net, whose scales are elsewhere
    ]
    wrong = {"missing": missing, "unexpected": unexpected, "of another shape": shapes, "of another type": kinds}
    if any(wrong.values()):
        said = "; ".join(f"{len(names)} {kind}: {_listed(names)}" for kind, names in wrong.items() if names)
        way = "; weights_map renames the beginnings of names" if missing and unexpected else ""
        raise JobError(f"weights do not fit model {name}: {said}{way}")
    for key, target in own.items():
        if key in found:
            target.copy_(found[key])


def _renamed(tensors: Mapping[str, Tensor], renamed: Mapping[str, str]) -> dict[str, Tensor]:
    found = {}
    for given, tensor in tensors.items():
        begin = next((prefix for prefix in renamed if given.startswith(prefix)), None)
        found[given if begin is None else renamed[begin] + given.removeprefix(begin)] = tensor
    return found


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
