"""Format of an exported store: a folder with a Parquet file per table, and `manifest.json`, which describes them and is written last.

Columns are those of the tables: numbers as 64-bit integers and floats, times in UTC to the microsecond, JSON as its text, flags as bytes.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, ValidationError
from sqlalchemy import JSON, Boolean, Column, Double, Integer, LargeBinary, String, Table
from sqlalchemy.types import TypeEngine

from orchestrator.store import migrations
from orchestrator.store.migrations.key_version_1 import RETIRED
from orchestrator.store.schema.base import Row, UtcDateTime
from workers.components.settings import Frozen
from workers.errors import UserError
from workers.files import open_regular, read_regular

FORMAT_VERSION = 2
"""Raise it when folders of the new kind cannot be read by an older robustsweep. New tables and columns come with the schema's revision."""

MANIFEST = "manifest.json"
ARTIFACTS = "artifacts"
"""Folder of the jobs' files, in the layout of a home's."""
CHUNK = 2000
"""Number of rows that are held in memory at a time."""


class TableFile(Frozen):
    """File of one table; `sha256` is of its bytes."""

    file: Annotated[str, Field(pattern=r"^[a-z_]+\.parquet$")]
    rows: int
    sha256: str


class Manifest(Frozen):
    """Contents of an exported folder: `sweeps` by name, `tables` by theirs, and the number of jobs whose files are in `artifacts/` (None:
    they are not exported)."""

    format_version: int
    schema_revision: str
    robustsweep_version: str
    exported_at: datetime
    sweeps: list[str]
    tables: dict[str, TableFile]
    artifacts: int | None = None


def arrow_schema(table: Table) -> pa.Schema:
    """Return the Parquet schema of the table."""
    return pa.schema([pa.field(column.name, _arrow_type(column.type), nullable=bool(column.nullable)) for column in table.columns])


def _arrow_type(kind: TypeEngine[Any]) -> pa.DataType:
    for known, arrow in (
        (JSON, pa.string()),
        (String, pa.string()),
        (Boolean, pa.bool_()),
        (Integer, pa.int64()),
        (Double, pa.float64()),
        (UtcDateTime, pa.timestamp("us", tz="UTC")),
        (LargeBinary, pa.binary()),
    ):
        if isinstance(kind, known):
            return arrow
    raise TypeError(f"column type {kind!r}: Parquet has no counterpart yet")


def as_texts(table: Table, row: Mapping[str, Any]) -> Row:
    """Return a row with its JSON values as text."""
    return {name: json.dumps(value) if value is not None and _is_json(table.columns[name]) else value for name, value in row.items()}


def _is_json(column: Column[Any]) -> bool:
    return isinstance(column.type, JSON)


def read_manifest(folder: Path) -> Manifest:
    """Read the folder's manifest, and check every file against it.

    Raises:
        UserError: no export, one that a newer robustsweep made, or one that is damaged.
    """
    try:
        content = read_regular(folder / MANIFEST)
        _refuse_newer(folder, json.loads(content))
        manifest = Manifest.model_validate_json(content)
    except OSError as error:
        raise UserError(f"import {folder}: no export: {MANIFEST}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"import {folder}: {MANIFEST} is damaged: {place}: {first['msg']}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"import {folder}: {MANIFEST} is damaged: {type(error).__name__}: {error}") from None
    for entry in manifest.tables.values():
        _check_file(folder / entry.file, entry)
    return manifest


def _refuse_newer(folder: Path, content: Mapping[str, Any]) -> None:
    version, revision = content["format_version"], content["schema_revision"]
    if version > FORMAT_VERSION:
        raise UserError(f"import {folder}: format {version}, this robustsweep knows up to {FORMAT_VERSION}; use a newer robustsweep")
    if revision not in migrations.REVISIONS:
        newest = migrations.REVISIONS[-1]
        raise UserError(f"import {folder}: its schema is {revision}, this robustsweep knows up to {newest}; use a newer robustsweep")


def _check_file(path: Path, entry: TableFile) -> None:
    try:
        found = sha256_of(path)
    except OSError as error:
        raise UserError(f"import {path}: {error.strerror}; export again") from None
    if found != entry.sha256:
        raise UserError(f"import {path}: is damaged (its SHA-256 is not the manifest's); copy it or export again")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as 64 hex digits."""
    with open_regular(path) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_rows(path: Path, table: Table) -> Iterator[list[Row]]:
    """The file's rows, `CHUNK` at a time. Columns that an older schema did not have are left out: the database fills in their defaults.
    Columns that only an older one had are there.

    Raises:
        UserError: the file is no table of ours.
    """
    try:
        with pq.ParquetFile(path) as opened:
            _check_columns(path, table, opened.schema_arrow)
            for batch in opened.iter_batches(batch_size=CHUNK):
                yield _as_rows(table, batch.to_pydict())
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"import {path}: is damaged: {str(error).splitlines()[0]}") from None


def _check_columns(path: Path, table: Table, found: pa.Schema) -> None:
    expected = arrow_schema(table)
    for field in found:
        if field.name in RETIRED.get(table.name, ()):
            continue
        if field.name not in expected.names or not field.type.equals(expected.field(field.name).type):
            raise UserError(f"import {path}: column {field.name} of type {field.type}: {table.name} has no such column")
    for column in table.columns:
        if column.name not in found.names and not column.nullable and column.server_default is None:
            raise UserError(f"import {path}: has no column {column.name}, which every row of {table.name} needs")


def _as_rows(table: Table, columns: Mapping[str, list[Any]]) -> list[Row]:
    """Return rows of the columns' values, JSON decoded; equal texts are one object, which must not be changed."""
    coded = {column.name for column in table.columns if _is_json(column)} | {"stage_rank_fractions"}
    values = [_decoded(found) if name in coded else found for name, found in columns.items()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def _decoded(texts: list[str | None]) -> list[Any]:
    found = {text: None if text is None else json.loads(text) for text in set(texts)}
    return [found[text] for text in texts]
