"""`robustsweep results`: the figures as a table."""

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, EverySpace, Home, Output, StoreUrl, SweepName, TableFormat, paths, show, tell
from workers.errors import UserError

if TYPE_CHECKING:
    from orchestrator.paths import Paths
    from orchestrator.store.reading.first_rows import FirstRows

_MOST_SHOWN = 500

Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        help="Only rows with FIELD=VALUE[,VALUE...] (or !=, <, <=, >, >=): theta=0.9, attack=pgd,bim, epsilon<=8/255.",
        show_default=False,
    ),
]


@command(group="look")
def results(  # noqa: PLR0913 (each is an option of the command)
    sweep: SweepName = None,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    where: Where = None,
    per_repeat: Annotated[bool, typer.Option("--per-repeat", help="One row per repeat instead of the mean over repeats.")] = False,
    only: Annotated[
        str | None,
        typer.Option(
            help="Only models of this verdict: sound, suspicious, unsound; several with commas.", metavar="VERDICTS", show_default=False
        ),
    ] = None,
    over_seeds: Annotated[
        bool, typer.Option("--over-seeds", help="One row for all models that differ only in their training seed.")
    ] = False,
    worst_case: Annotated[
        bool,
        typer.Option("--worst-case", help="The most harmful attack on each example, of all at one epsilon, for each knowledge and any."),
    ] = False,
    rungs: Annotated[
        bool, typer.Option("--rungs", help="With models that a search stopped before the end of their training, marked `until epoch`.")
    ] = False,
    spread: Annotated[
        bool, typer.Option("--spread", help="Show standard errors, in percent points: of examples, of draws, of training seeds.")
    ] = False,
    passes: Annotated[
        bool, typer.Option("--passes", help="Show what each attack cost: examples forward and backward through the network, and queries.")
    ] = False,
    group_by: Annotated[
        str | None,
        typer.Option(help="Means over FIELD[,FIELD...], e.g. theta,attack,knowledge,epsilon.", metavar="FIELDS", show_default=False),
    ] = None,
    pivot: Annotated[
        str | None,
        typer.Option(
            help="Robust accuracy, a column for each FIELD[,FIELD...], e.g. attack,epsilon.", metavar="FIELDS", show_default=False
        ),
    ] = None,
    across: Annotated[
        str, typer.Option(help="With --group-by or --pivot: average over these too, e.g. knowledge.", metavar="FIELDS", show_default=False)
    ] = "",
    corruptions: Annotated[
        bool, typer.Option("--corruptions", help="Accuracy under each common corruption and severity, instead of attacks.")
    ] = False,
    sort: Annotated[
        str | None, typer.Option(help="Sort by a field; -FIELD from the greatest to the least.", metavar="FIELD", show_default=False)
    ] = None,
    every_space: EverySpace = False,
    limit: Annotated[
        int | None,
        typer.Option(
            help="At most so many rows. Of more than 10,000 measurements a table without --limit has 500.", min=1, show_default=False
        ),
    ] = None,
    output: Output = TableFormat.table,
) -> None:
    """Print clean and robust accuracy with 95 % intervals, one row per model, attack, knowledge and epsilon."""
    from dataclasses import replace

    from orchestrator.store import open_store, parse_conditions, result_rows
    from orchestrator.store.reading.first_rows import first_rows
    from orchestrator.store.reading.gaps import missing
    from orchestrator.store.reading.worst_cases import with_single_attacks
    from orchestrator.tables.result_columns import ExtraColumns
    from orchestrator.tables.results_table import render_results
    from orchestrator.tables.selection import grouped, ordered, pivoted
    from orchestrator.tables.writers import render

    if corruptions:
        _print_corruptions(paths(home, store), sweep, output, limit)
        return
    _refuse_together({"--per-repeat": per_repeat, "--worst-case": worst_case}, "the worst attack is chosen by the other repeats")
    _refuse_together({"--group-by": group_by, "--pivot": pivot}, "each makes a table of its own")
    if across and not (group_by or pivot):
        raise UserError(f"--across {across}: only with --group-by or --pivot")
    conditions = parse_conditions([*(where or ()), *(_verdict(only) if only is not None else ())])
    with open_store(paths(home, store).store_url, upgrade=False) as opened:
        form = {"per_repeat": per_repeat, "over_seeds": over_seeds, "worst": worst_case, "rungs": rungs, "every_space": every_space}
        first = None
        if sweep is not None and output is TableFormat.table and not (group_by or pivot or sort or worst_case):
            first = first_rows(opened, sweep, count=limit or _MOST_SHOWN, where=conditions, stopped=True, **form)
        rows = result_rows(opened, sweep, **form, where=conditions, stopped=not (group_by or pivot)) if first is None else first.rows
        rows, unscored = with_single_attacks(rows, lambda: result_rows(opened, sweep, **form | {"worst": False}, where=conditions))
        notes = tell((*unscored, *missing(opened, sweep, all_by=None if every_space else "results")), output)
    if first is not None and len(rows) > (limit or _MOST_SHOWN):
        limit = limit or _MOST_SHOWN
        notes = (*notes, _first(limit, first))
    rows = ordered(rows, sort) if sort else rows
    if group_by or pivot:
        made = grouped(rows, group_by, across=across) if group_by else pivoted(rows, pivot or "", across=across)
        said = (*notes, *_cut(len(made.rows), limit))
        show(render(replace(made, rows=made.rows[:limit], notes=said), output.value))
    else:
        wanted: dict[ExtraColumns, bool] = {"spread": spread, "passes": passes}
        extra = [name for name, asked in wanted.items() if asked]
        cut = _cut(len(rows), limit) if first is None else []
        show(render_results(rows, output.value, limit=limit, extra=extra, notes=(*notes, *cut)))


def _print_corruptions(where: "Paths", sweep: str | None, output: TableFormat, limit: int | None) -> None:
    from dataclasses import replace

    from orchestrator.store import open_store
    from orchestrator.store.reading.corruption_rows import corruption_rows
    from orchestrator.tables.corruptions_table import corruptions_data, corruptions_table
    from orchestrator.tables.writers import render

    with open_store(where.store_url, upgrade=False) as opened:
        rows = corruption_rows(opened, sweep)
    made = corruptions_data(rows) if output in (TableFormat.csv, TableFormat.json) else corruptions_table(rows)
    show(render(replace(made, rows=made.rows[:limit], groups=made.groups if limit is None else ()), output.value))


def _cut(count: int, limit: int | None) -> list[str]:
    return [f"{limit} of {count} rows: --limit {limit}"] if limit is not None and limit < count else []


def _first(limit: int, first: "FirstRows") -> str:
    held = f"{first.models:,} models with {first.measurements:,} measurements"
    return f"the first {limit} rows of {held}: --where chooses, --group-by and --pivot sum up, --limit shows more, --format csv has all"


def _verdict(only: str) -> list[str]:
    """Convert the value of `--only` to a condition of `--where`."""
    from orchestrator.statistics.verdict import VERDICTS

    named = [part.strip() for part in only.split(",")]
    for name in named:
        if name not in VERDICTS:
            raise UserError(f"--only '{name}': one of {', '.join(VERDICTS)}")
    return [f"verdict={','.join(named)}"]


def _refuse_together(options: dict[str, object], reason: str) -> None:
    if all(options.values()):
        raise UserError(f"{' with '.join(options)}: {reason}; leave one of them out")
