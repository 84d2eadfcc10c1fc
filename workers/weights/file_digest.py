"""Digest of a file of weights, remembered while the file does not change. Only the first one of a pickled file imports torch."""

import hashlib
import mmap
import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from workers.data.loading.array_cache import stat_key
from workers.errors import UserError, os_reason
from workers.files import user_cache
from workers.weights.digest import digest_of, tensors_in
from workers.weights.place import SAFE


def weights_digest(path: Path) -> str:
    """Return the digest of a file of weights; it is computed again where the file's size or modification time has changed.

    Raises:
        UserError: the file cannot be read, or holds no state dict.
    """
    try:
        noted = user_cache() / "weights" / stat_key(f"weights {path}", [path])
    except OSError as error:
        raise UserError(f"weights {path}: {os_reason(error)}") from error
    with suppress(OSError, ValueError):
        if len(known := noted.read_text()) == len(hashlib.sha256().hexdigest()):
            return known
    found = _digest(path)
    with suppress(OSError):  # a cache that cannot be written costs time, nothing else
        noted.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=noted.parent, delete=False) as file:
            file.write(found)
        os.replace(file.name, noted)  # noqa: PTH105 (of a name)
    return found


def _digest(path: Path) -> str:
    if path.suffix in SAFE:
        return _digest_of_safetensors(path)
    from workers.weights.tensors import digest_of_tensors, read_tensors

    return digest_of_tensors(read_tensors(path))


def _digest_of_safetensors(path: Path) -> str:
    """Return the digest of a safetensors file, which is mapped, not read whole.

    Raises:
        UserError: it is none.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content, memoryview(content) as view:
            tensors = tensors_in(view)
            try:
                return digest_of(tensors)
            finally:
                for tensor in tensors.values():
                    if isinstance(tensor.content, memoryview):
                        tensor.content.release()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"weights {path}: is no safetensors file, or damaged") from error
