"""`robustsweep db`: maintenance of the store."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.app import subcommands
from orchestrator.cli.completion import complete_sweep
from orchestrator.cli.options import DEFAULT_HOME, ArtifactsUrl, Home, StoreUrl, paths
from workers.errors import UserError

if TYPE_CHECKING:
    from orchestrator.paths import Paths
    from orchestrator.store.maintenance.prune import PruneResult
    from workers.artifacts.copying import Copied

subcommand = subcommands("db", group="look after", about="Look after the results store: upgrade, check, export, import, prune.")


@subcommand()
def upgrade(*, home: Home = DEFAULT_HOME, store: StoreUrl = None) -> None:
    """Bring the store's schema up to date (`launch` does so too). There is no way back but a backup: export before."""
    from orchestrator.store import StoreMissing, open_store, schema_revision
    from orchestrator.store.migrations import REVISIONS
    from orchestrator.terminal import hints

    url = paths(home, store).store_url
    if (before := schema_revision(url)) is None:
        raise StoreMissing(f"db upgrade: {_shown(url)} holds no sweeps yet; `{hints.command('launch', 'SPACE')}` makes its tables")
    open_store(url, upgrade=True).close()
    newest = REVISIONS[-1]
    typer.echo(f"schema {newest}: is current" if before == newest else f"schema upgraded from {before} to {newest}")


@subcommand()
def check(
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    files: Annotated[bool, typer.Option("--files", help="Also compare every file of every job with its checksum.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what the jobs' artifacts can, and check again.")] = False,
) -> None:
    """Report what is wrong with the store and the artifacts, and what to do. Changes nothing unless --repair is given. Exit code 1 if
    anything is (still) wrong."""
    from orchestrator.store import open_store, schema_revision
    from orchestrator.store.maintenance.check import check_store
    from orchestrator.store.migrations import REVISIONS
    from orchestrator.terminal import hints

    where, newest = paths(home, store, artifacts=artifacts), REVISIONS[-1]
    revision = schema_revision(where.store_url)
    if revision in REVISIONS[:-1]:
        typer.echo(f"schema: {revision}, older than {newest}\n    do: `{hints.command('db', 'upgrade', at=where)}`, then check again")
        raise typer.Exit(1)
    with open_store(where.store_url, upgrade=repair) as opened:
        typer.echo(f"schema: ok, {newest}")
        findings = check_store(opened, where.artifacts, hashes=files)
        if repair and any(finding.problem for finding in findings):
            from orchestrator.store.maintenance.repair import repair_store

            typer.echo("\n".join(f"repaired: {line}" for line in repair_store(opened, where.artifacts, findings)) or "repaired: nothing")
            findings = check_store(opened, where.artifacts, hashes=files)
    for finding in findings:
        typer.echo(f"{finding.subject}: " + (f"{finding.problem}\n    do: {finding.advice}" if finding.problem else finding.note or "ok"))
    raise typer.Exit(any(finding.problem for finding in findings))


@subcommand("export")
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    sweeps: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SWEEP]...", help="Only these, with all they need.", show_default=False, autocompletion=complete_sweep),
    ] = None,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    with_artifacts: Annotated[bool, typer.Option("--with-artifacts", help="Also the files of the jobs that are done.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
) -> None:
    """Write the store to DIR as Parquet and JSON, to be read by `db import` or any other program; the jobs' files only if asked for."""
    from orchestrator.store import open_store
    from orchestrator.store.maintenance.export_archive import export_store
    from orchestrator.store.reading.study_trials import searches

    where = paths(home, store, artifacts=artifacts)
    with open_store(where.store_url, upgrade=False) as opened:
        files = where.artifacts if with_artifacts else None
        manifest, copied = export_store(opened, folder, sweeps=tuple(sweeps or ()), force=force, artifacts=files)
        searched = searches(opened, manifest.sweeps)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    along = "" if manifest.artifacts is None else f", files of {manifest.artifacts} jobs"
    typer.echo(f"{folder}: {_numbers((name, entry.rows) for name, entry in manifest.tables.items())}{along}; {human_size(size)}")
    _say_lost(copied, "exported")
    if searched:
        typer.echo(f"not exported: the studies of searches, {', '.join(searched)}; their trials' results are", err=True)


@subcommand("import")
def import_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `db export` made.")],
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
) -> None:
    """Merge an export into the store, which is made where there is none. Rows that both have are left as the store has them.

    The jobs' files, where the export has them, go to the artifacts; those that are there undamaged are left as they are."""
    from orchestrator.store import open_store
    from orchestrator.store.maintenance.archive_format import ARTIFACTS, read_manifest
    from orchestrator.store.maintenance.import_archive import import_folder
    from orchestrator.store.reading.study_trials import searches
    from workers.artifacts.artifacts import Artifacts
    from workers.artifacts.copying import copy_jobs

    manifest = read_manifest(folder)  # before a store is made without need
    sweeps, where = manifest.sweeps, paths(home, store, artifacts=artifacts)
    with open_store(where.store_url, upgrade=True) as opened:
        merged = import_folder(opened, folder)
        searched = searches(opened, sweeps)
    new = [(table.table, table.new) for table in merged if table.new]
    typer.echo(f"imported: {_numbers(new)}" if new else "nothing new: the store has it all")
    if manifest.artifacts is not None:
        exported = Artifacts(folder / ARTIFACTS)
        copied = copy_jobs(exported, where.artifacts, exported.all_keys())
        typer.echo(f"files: of {copied.new} jobs; of {copied.known} more they were there")
        _say_lost(copied, "imported")
    if searched:
        typer.echo(
            f"not in an export: the studies of searches, {', '.join(searched)}; launched here, they begin with these results", err=True
        )


@subcommand()
def prune(  # noqa: PLR0913 (each is an option of the command)
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    sweep: Annotated[
        list[str] | None, typer.Option("--sweep", help="Drop this sweep, and the jobs that no other holds.", show_default=False)
    ] = None,
    failed_attempts: Annotated[
        bool, typer.Option("--failed-attempts", help="Drop failed and interrupted attempts, except those of jobs that are failed now.")
    ] = False,
    orphans: Annotated[
        bool, typer.Option("--orphans", help="Drop jobs in no sweep, environments of no result, artifacts and weights of no job.")
    ] = False,
    rung_states: Annotated[
        bool,
        typer.Option("--rung-states", help="Drop checkpoints of models stopped early that were trained further since; not the models."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also artifacts that may be another database's, which cannot be read from here.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, only list what would be removed.")] = False,
) -> None:
    """Remove rows and artifacts that are no longer needed; nothing that a running sweep uses."""
    from orchestrator.store import open_store
    from orchestrator.store.maintenance.prune import RemovalRequest
    from orchestrator.store.maintenance.prune import prune as remove

    wanted = RemovalRequest(tuple(sweep or ()), failed_attempts=failed_attempts, orphans=orphans, rung_states=rung_states)
    if wanted == RemovalRequest():
        raise UserError("db prune: say what: --sweep NAME, --failed-attempts, --orphans or --rung-states")
    where = paths(home, store, artifacts=artifacts)
    open_store(where.store_url, upgrade=False).close()  # fails where there is no store, instead of making one
    with open_store(where.store_url, upgrade=yes) as opened:
        pruned = remove(opened, where.artifacts, wanted, kept=_kept_at_home(where), force=force, really=yes)
    _report(pruned, done=yes)


def _kept_at_home(where: "Paths") -> frozenset[str]:
    """Return the jobs of the home's own store if another one is pruned: both use the same artifacts."""
    from orchestrator.paths import Paths
    from orchestrator.store import StoreMissing, job_keys, open_store

    own = Paths.resolve(home=where.home, store=None).store_url
    if _file(own) == _file(where.store_url):
        return frozenset()
    try:
        with open_store(own, upgrade=False) as opened:
            return job_keys(opened)
    except StoreMissing:
        return frozenset()


def _file(url: str) -> Path | None:
    """Return the resolved file of an SQLite URL, for comparison; None for another database."""
    from orchestrator.store.connection.urls import parse_url

    address = parse_url(url)
    return Path(address.database or "").resolve() if address.get_backend_name() == "sqlite" else None


def _report(pruned: "Iterable[PruneResult]", *, done: bool) -> None:
    found = list(pruned)
    going, staying = ([_line(one) for one in found if one.stays is stays] for stays in (False, True))
    heading = "removed:" if done else "would be removed (--yes does it):"
    typer.echo("\n".join([heading, *going]) if going else "nothing to remove")
    if staying:
        typer.echo("\n".join([f"{'left' if done else 'would be left'} (--force removes it too):", *staying]))


def _line(found: "PruneResult") -> str:
    return f"{found.kind}: {found.number}, about {human_size(found.size)}"


def _say_lost(copied: "Copied", what: str) -> None:
    """Say of which jobs the files were not copied, since they are missing or damaged."""
    if copied.lost:
        typer.echo(f"not {what}: the files of {len(copied.lost)} jobs, first {copied.lost[0]}", err=True)


def _numbers(tables: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in tables if number) or "nothing"


def human_size(size: float) -> str:
    """Format a number of bytes with its unit."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def _shown(url: str) -> str:
    from orchestrator.paths import shown_url
    from orchestrator.store.connection.urls import parse_url

    return f"store '{shown_url(parse_url(url))}'"
