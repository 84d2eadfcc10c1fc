"""The paper's tables together with what the store holds."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.report.paper.deviations import differing
from orchestrator.report.paper.published import PublishedFigure, PublishedTable, published_tables
from orchestrator.report.paper.setups import FoundRows, Setup, SetupParts, chosen, found, rows_of, setups_of
from orchestrator.store import ResultRow
from orchestrator.tables.table import Estimate
from workers.errors import UserError


@dataclass(frozen=True, kw_only=True)
class OurFigure(Estimate):
    """Our figure next to the published one, in percent, and the row that it is of."""

    row: ResultRow

    @classmethod
    def of(cls, cell: PublishedFigure, row: ResultRow) -> "OurFigure":
        clean = cell.attack == "none"
        shares = (row.clean_accuracy, row.clean_ci_low, row.clean_ci_high) if clean else (row.robust_accuracy, row.ci_low, row.ci_high)
        accuracy, low, high = (round(100 * share, 1) for share in shares if share is not None)
        return cls(value=accuracy, low=low, high=high, reference=cell.published, row=row)


@dataclass(frozen=True, kw_only=True)
class SetupFigures:
    """The figures of one setup, by cell; `others` more models of the setup fit as well, and differ from those shown in the settings
    `others_differ`. `label` tells the setup from its neighbours."""

    label: str
    setup: Setup
    figures: dict[PublishedFigure, OurFigure]
    others: int
    others_differ: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ComparedTable:
    """A table of the paper, the setups shown next to it, and those that are stored but not shown."""

    published: PublishedTable
    lines: tuple[SetupFigures, ...]
    left_out: tuple[Setup, ...]

    @property
    def cells(self) -> tuple[tuple[PublishedFigure, ...], ...]:
        return self.published.cells

    @property
    def empty(self) -> int:
        """Number of cells that have no figure of ours, over all setups shown."""
        cells = [cell for row in self.cells for cell in row]
        return sum(cell not in lines.figures for lines in self.lines for cell in cells) if self.lines else len(cells)


def compare(rows: Sequence[ResultRow], *, numbers: Iterable[int] | None = None, every_setup: bool) -> list[ComparedTable]:
    """The paper's tables of these numbers (None: all), filled from the rows.

    A table shows the line-up nearest to the paper's size, in each of its ranks, or with `every_setup` all that there are.

    Raises:
        UserError: the paper has no table of such a number.
    """
    by_number = {table.number: table for table in published_tables()}
    wanted = list(by_number) if numbers is None else sorted(set(numbers))
    for number in wanted:
        if number not in by_number:
            raise UserError(f"table {number}: one of {', '.join(map(str, by_number))}")
    return [_compared(by_number[number], rows, every_setup=every_setup) for number in wanted]


def _compared(table: PublishedTable, rows: Sequence[ResultRow], *, every_setup: bool) -> ComparedTable:
    candidates = found([cell for row in table.cells for cell in row], rows)
    parts = setups_of(candidates)
    nearest = next(iter(parts)).line_up if parts else None
    shown = [setup for setup in parts if every_setup or setup.line_up == nearest]
    lines = []
    for label, setup in zip(_labels(shown), shown, strict=True):
        rows_shown, pooled = chosen(candidates, parts[setup])
        figures = {cell: OurFigure.of(cell, row) for cell, row in rows_shown.items()}
        others = {row.model_key for models in pooled for row in models} - {row.model_key for row in rows_shown.values()}
        differ = dict.fromkeys(said for models in pooled for said in differing(models))
        lines.append(SetupFigures(label=label, setup=setup, figures=figures, others=len(others), others_differ=tuple(differ)))
    return ComparedTable(published=table, lines=tuple(lines), left_out=tuple(_unseen(candidates, parts, lines)))


def _unseen(candidates: FoundRows, parts: SetupParts, lines: Sequence[SetupFigures]) -> Iterator[Setup]:
    """The setups that are not shown and hold a model that is not; sweeps share models."""
    seen = {figure.row.model_key for shown in lines for figure in shown.figures.values()}
    shown_setups = {shown.setup for shown in lines}
    for setup in [setup for setup in parts if setup not in shown_setups]:
        models = {row.model_key for by_setup in candidates.values() for row in rows_of(by_setup, parts[setup])}
        if not models <= seen:
            yield setup


def _labels(setups: Sequence[Setup]) -> list[str]:
    """`ours` alone; the ranks, where they differ from setup to setup; else numbers."""
    if len(setups) == 1:
        return ["ours"]
    ranks = [f"rank {setup.rank[1]:g}" for setup in setups if setup.rank is not None]
    if len({setup.line_up for setup in setups}) == 1 and len(set(ranks)) == len(setups):
        return ranks
    return [f"ours {place}" for place in range(1, len(setups) + 1)]
