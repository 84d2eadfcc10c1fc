"""Export of a store, or of some of its sweeps, to a folder that `import_archive.py` reads into another store."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Column, ColumnElement, Connection, Select, Table, case, null, select, union

from orchestrator.store.connection.session import Store, sweep_id
from orchestrator.store.maintenance.archive_format import (
    ARTIFACTS,
    CHUNK,
    FORMAT_VERSION,
    MANIFEST,
    Manifest,
    TableFile,
    arrow_schema,
    as_texts,
    sha256_of,
)
from orchestrator.store.maintenance.held_rows import keys_of, owner, referring
from orchestrator.store.migrations import REVISIONS
from orchestrator.store.schema.base import AnySelect, Base, utc_now
from orchestrator.store.schema.sweep_tables import JobRecord, SweepRecord, TestLookRecord
from orchestrator.temp_folder import temp_folder
from workers.artifacts.artifacts import Artifacts
from workers.artifacts.copying import Copied, copy_jobs
from workers.errors import UserError
from workers.files import TO_KEEP


def export_store(
    store: Store, folder: Path, *, sweeps: Sequence[str], force: bool, artifacts: Artifacts | None = None
) -> tuple[Manifest, Copied]:
    """Write the store, or only `sweeps` with all that they need: jobs, the jobs' ancestors, results, attempts, environments, verdicts.

    All of it is of one moment. The folder appears whole or not at all. With `artifacts` the files of the jobs that are done go along,
    as far as they are there and undamaged.

    Raises:
        UserError: no such sweep; the folder exists (with `force`: and is no earlier export), or cannot be written.
    """
    _refuse_occupied(folder, force=force)
    try:
        with _replaced(folder) as temporary:
            found = _write(store, temporary, sweeps, artifacts)
    except OSError as error:
        raise UserError(f"export {folder}: {error.strerror or error}") from None
    return found


def _refuse_occupied(folder: Path, *, force: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST).is_file()):
        raise UserError(f"export {folder}: exists and is no export; give another folder")
    if any(folder.iterdir()) and not force:
        raise UserError(f"export {folder}: exists; --force replaces it")


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """Make a temporary folder next to `folder` that takes its place in the end."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with temp_folder(folder.parent, prefix=".robustsweep-export-") as made:
        fresh, old = made / "new", made / TO_KEEP
        fresh.mkdir()
        yield fresh
        if folder.exists():
            folder.rename(old)
        try:
            fresh.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
        if old.exists():
            old.rename(made / "replaced")


def _write(store: Store, folder: Path, sweeps: Sequence[str], artifacts: Artifacts | None) -> tuple[Manifest, Copied]:
    with store.reading() as connection:
        chosen = _Chosen([sweep_id(connection, name) for name in sweeps] if sweeps else None)
        names = connection.execute(chosen.rows(_SWEEPS)).mappings()
        finished = chosen.rows(_JOBS).where(_JOBS.c.state == "done").with_only_columns(_JOBS.c.key)
        done = list(connection.execute(finished).scalars()) if artifacts else []
        manifest = Manifest(
            format_version=FORMAT_VERSION,
            schema_revision=REVISIONS[-1],
            robustsweep_version=version("robustsweep"),
            exported_at=utc_now(),
            sweeps=sorted(row["name"] for row in names),
            tables={table.name: _write_table(connection, chosen.rows(table), table, folder) for table in Base.metadata.sorted_tables},
        )
    copied = Copied() if artifacts is None else copy_jobs(artifacts, Artifacts(folder / ARTIFACTS), sorted(done))
    if artifacts is not None:
        manifest = manifest.model_copy(update={"artifacts": copied.new})
    with (folder / MANIFEST).open("w") as opened:
        opened.write(manifest.model_dump_json(indent=1, exclude_none=True) + "\n")
        opened.flush()
        os.fsync(opened.fileno())
    return manifest, copied


def _write_table(connection: Connection, statement: AnySelect, table: Table, folder: Path) -> TableFile:
    path, count = folder / f"{table.name}.parquet", 0
    schema = arrow_schema(table)
    found = connection.execution_options(stream_results=True).execute(statement.order_by(*table.primary_key)).mappings()
    with path.open("wb") as opened:
        with pq.ParquetWriter(opened, schema, compression="zstd") as writer:
            for rows in found.partitions(CHUNK):
                values = [as_texts(table, {str(name): value for name, value in row.items()}) for row in rows]
                writer.write_table(pa.Table.from_pylist(values, schema=schema), row_group_size=CHUNK)
                count += len(values)
        os.fsync(opened.fileno())
    return TableFile(file=path.name, rows=count, sha256=sha256_of(path))


_JOBS, _SWEEPS, _LOOKS = (Base.metadata.tables[record.__tablename__] for record in (JobRecord, SweepRecord, TestLookRecord))


@dataclass(frozen=True)
class _Chosen:
    """Rows to export: all (None), or those of some sweeps and of the jobs that they hold."""

    sweeps: list[int] | None

    @cached_property
    def _keys(self) -> Select[str]:
        return keys_of(self.sweeps or [])

    def rows(self, table: Table) -> AnySelect:
        if self.sweeps is None:
            return select(table)
        if table is _LOOKS:  # which name their sweep
            return select(table).where(table.c.sweep.in_(select(_SWEEPS.c.name).where(_SWEEPS.c.id.in_(self.sweeps))))
        if (sweep := owner(table, "sweeps.id")) is not None and sweep.primary_key:
            return select(table).where(sweep.in_(self.sweeps))
        return self._columns(table).where(self._kept(table))

    def _kept(self, table: Table) -> ColumnElement[bool]:
        if table is _SWEEPS:
            return table.c.id.in_(self.sweeps or [])
        job = table.c.key if table.name == "jobs" else owner(table, "jobs.key")
        if job is not None:
            return job.in_(self._keys)
        # A row that belongs to no job is exported where a row that does refers to it.
        named = union(*(self.rows(column.table).with_only_columns(column) for column in referring(table)))
        (key,) = table.primary_key
        return key.in_(named)

    def _columns(self, table: Table) -> AnySelect:
        """Return all columns; references to sweeps that are not exported become null."""
        return select(*(self._without_others(column) for column in table.columns))

    def _without_others(self, column: Column[Any]) -> ColumnElement[Any]:
        if not any(key.target_fullname == "sweeps.id" for key in column.foreign_keys):
            return column
        return case((column.in_(self.sweeps or []), column), else_=null()).label(column.name)
