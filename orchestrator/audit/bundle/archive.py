"""A bundle as a file: a zip archive of plain names, nothing compressed, whose bytes are determined by its contents."""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from orchestrator.audit.bundle.contents import CONTENTS, FILE_NAME, FORMAT_VERSION
from workers.artifacts.artifacts import checksum
from workers.errors import UserError, first_line, os_reason
from workers.files import read_regular

_CHECKSUM = "sha256"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16
_UNIX, _ENCRYPTED = 3, 1
NamedArrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Archive:
    """A bundle that was read: its file, the SHA-256 of that, `bundle.json` as plain data, and the content of each other file."""

    path: Path
    digest: str
    contents: dict[str, Any]
    files: Mapping[str, bytes]

    def arrays(self, name: str) -> NamedArrays:
        """Return the arrays in one of the files.

        Raises:
            UserError: it holds none.
        """
        try:
            return load(self.files[name])
        except (SafetensorError, KeyError, ValueError, TypeError) as error:
            raise UserError(f"{self.path}: {name} is no safetensors file: {first_line(error)}") from None


def archived(contents: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """Return the archive of `bundle.json`, plain data, and of other files by name; equal ones give equal bytes."""
    fields = {**contents, "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}}
    text = json.dumps({_CHECKSUM: checksum(fields), **fields}, indent=1, ensure_ascii=False, allow_nan=False)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in ((CONTENTS, text.encode()), *sorted(files.items())):
            entry = zipfile.ZipInfo(name, date_time=_LONG_AGO)
            entry.create_system, entry.external_attr = _UNIX, _READABLE
            archive.writestr(entry, content)
    return buffer.getvalue()


def read_archive(path: Path) -> Archive:
    """Read a bundle and check that it is whole and unchanged.

    Raises:
        UserError: it is none, or damaged, or was changed; one line says what is wrong.
    """
    try:
        content = read_regular(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {os_reason(error)}") from None
    try:
        entries = _entries(path, content)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise UserError(f"{path}: is no bundle, or is cut off: {first_line(error)}") from None
    contents = _contents(path, entries)
    files = {name: found for name, found in entries.items() if name != CONTENTS}
    _require_unchanged(path, contents.get("files"), files)
    return Archive(path, hashlib.sha256(content).hexdigest(), contents, files)


def _entries(path: Path, content: bytes) -> dict[str, bytes]:
    """Return the archive's files. As nothing is compressed, they are never larger than it is."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        there = archive.infolist()
        for entry in there:
            if entry.filename != CONTENTS and not FILE_NAME.fullmatch(entry.filename):
                raise UserError(f"{path}: holds {entry.filename[:80]!r}; a bundle has {CONTENTS} and files NAME.safetensors, in no folder")
            if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size or entry.flag_bits & _ENCRYPTED:
                raise UserError(f"{path}: {entry.filename} is compressed or encrypted; in a bundle nothing is")
        names = [entry.filename for entry in there]
        if len(set(names)) < len(names) or sum(entry.file_size for entry in there) > len(content):
            raise UserError(f"{path}: its files overlap, or one is there twice")
        return {entry.filename: archive.read(entry) for entry in there}


def _contents(path: Path, entries: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        fields = json.loads(entries[CONTENTS])
        recorded = fields.pop(_CHECKSUM)
        version = fields["format_version"]
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{path}: has no {CONTENTS} of a bundle") from None
    if version != FORMAT_VERSION:
        raise UserError(f"{path}: is of format {version!r}; this version of robustsweep reads {FORMAT_VERSION}")
    if recorded != checksum(fields):
        raise UserError(f"{path}: {CONTENTS} was changed: its SHA-256 is not the one that it holds")
    found: dict[str, Any] = fields
    return found


def _require_unchanged(path: Path, recorded: Any, files: Mapping[str, bytes]) -> None:
    if not isinstance(recorded, dict) or sorted(recorded) != sorted(files):
        raise UserError(f"{path}: its files are not those that {CONTENTS} names")
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != recorded[name]:
            raise UserError(f"{path}: {name} was changed: its SHA-256 is not the recorded one")
