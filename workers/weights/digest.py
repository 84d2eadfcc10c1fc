"""Digest of weights: over the tensors, not the file's bytes, so that a `.pt` and a `.safetensors` of the same weights are one. No torch."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_PREFIXES = ("module.", "model.", "_orig_mod.", "body.")
_LONGEST_HEADER = 100_000_000
BODY = "body."
"""The beginning of the names of a network's own tensors in a trained model's file."""


class StoredTensor(NamedTuple):
    """One tensor: its type as safetensors names it (`F32`), its shape, and its bytes, little-endian."""

    dtype: str
    shape: tuple[int, ...]
    content: bytes | memoryview


def digest_of(tensors: Mapping[str, StoredTensor]) -> str:
    """Return the SHA-256, 64 hex digits, over the sorted names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.content)
    return digest.hexdigest()


def stripped(names: Iterable[str]) -> dict[str, str]:
    """Return the names without the prefixes that all of them have (`module.`, `model.`, `_orig_mod.`, `body.`), by what they were."""
    found = {name: name for name in names}
    while found and (prefix := next((p for p in _PREFIXES if all(name.startswith(p) for name in found.values())), None)):
        found = {name: short.removeprefix(prefix) for name, short in found.items()}
    return found


def of_body(content: bytes) -> str:
    """Return the digest of the bare network in a trained model's file (its defence may have tensors of its own)."""
    tensors = tensors_in(memoryview(content), only=BODY)
    return digest_of(tensors)


def tensors_in(view: memoryview, *, only: str = "") -> dict[str, StoredTensor]:
    """The tensors of a safetensors file whose names begin so.

    Raises:
        ValueError: it is none.
    """
    size = int.from_bytes(view[:8], "little")
    if not 0 < size <= min(_LONGEST_HEADER, len(view) - 8):
        raise ValueError("no header")
    header = {
        name: entry for name, entry in json.loads(bytes(view[8 : 8 + size])).items() if name != "__metadata__" and name.startswith(only)
    }
    begin, names = 8 + size, stripped(header)
    ends = [entry["data_offsets"][1] for entry in header.values()]
    if max(ends, default=0) > len(view) - begin:
        raise ValueError("truncated")
    return {
        names[name]: StoredTensor(
            entry["dtype"], tuple(entry["shape"]), view[begin + entry["data_offsets"][0] : begin + entry["data_offsets"][1]]
        )
        for name, entry in header.items()
    }
