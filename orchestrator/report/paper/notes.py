"""Notes that a reader of a table needs: what the shown models are, where they are not the paper's, and what is still to be run."""

from collections.abc import Iterable, Sequence

from orchestrator.report.paper.deviations import deviations, differing
from orchestrator.report.paper.published_comparison import ComparedTable, SetupFigures
from orchestrator.report.paper.setups import PAPER_WIDTHS, TEST_EXAMPLES, Setup
from orchestrator.store import ResultRow
from orchestrator.terminal import hints
from workers.registry import DATASETS
from workers.spec.recipes import RECIPES

LEGEND = (
    "Percent. Under the paper's figure: ours with its 95 % interval, and ours minus the paper's in points; in: the interval covers the "
    "paper's figure, out: it does not. A wide interval covers much."
)
_PAPER_REPEATS = 10
_ATTACKERS = {
    "randomized": "gradients through fresh sketches (knowledge randomized)",
    "omniscient": "examples made on the full weights (knowledge omniscient)",
}
_MOST_LEFT_OUT = 5


def notes(table: ComparedTable) -> list[str]:
    """Sentences, as they are: the caller that shows them escapes them."""
    said = [_attacker(table), *(f"{lines.label}: {_described(table, lines)}." for lines in table.lines), *_deviations(table)]
    said += dict.fromkeys(remark for row in table.cells for cell in row for remark in cell.remarks)
    return said + _left_out(table) + _to_run(table)


def _attacker(table: ComparedTable) -> str:
    known = {cell.knowledge for row in table.cells for cell in row} - {"none"}
    return f"Attacker: {', '.join(_ATTACKERS[knowledge] for knowledge in sorted(known))}; the paper's steps, step size 1/255."


def _described(table: ComparedTable, lines: SetupFigures) -> str:
    rows = [figure.row for figure in lines.figures.values()]
    return "; ".join([_size(table, lines.setup), *_of_rows(table, lines, rows)])


def _deviations(table: ComparedTable) -> list[str]:
    """One sentence for all setups that differ alike."""
    found = {lines.label: deviations([figure.row for figure in lines.figures.values()]) for lines in table.lines}
    alike = len({*map(tuple, found.values())}) == 1
    named = {"": next(iter(found.values()))} if alike and found else {f" {label}": said for label, said in found.items()}
    return [f"Unlike the paper's models{label and ' in'}{label}: {'; '.join(said)}." for label, said in named.items() if said]


def _size(table: ComparedTable, setup: Setup) -> str:
    cell = table.cells[0][0]
    every = TEST_EXAMPLES.get(cell.dataset)
    training = "all training examples" if setup.train_examples is None else f"{setup.train_examples} training examples (paper: all)"
    parts = [
        f"sweep {setup.sweep}",
        f"width {_against(setup.width, PAPER_WIDTHS[cell.model])}",
        training,
        f"{setup.n_examples if every is None else _against(setup.n_examples, every)} test examples",
        *([f"rank {setup.rank[1]:g} of the {setup.rank[0]} (the paper states none)"] if setup.rank else []),
        *([f"sketch modes {setup.sketch[0]}, {'' if setup.sketch[1] else 'not '}rescaled"] if setup.sketch else []),
        f"seed {setup.seed}",
        f"{setup.batch_size} examples a draw",
    ]
    return "; ".join(parts)


def _of_rows(table: ComparedTable, lines: SetupFigures, rows: Sequence[ResultRow]) -> list[str]:
    """Describe what may differ from figure to figure."""
    paper = RECIPES["paper"][DATASETS[table.cells[0][0].dataset].facts.modality]["epochs"]
    scratch = _spread(row.epochs for row in rows if row.stage == "pretrain")
    tuned = _spread(row.epochs for row in rows if row.stage == "fine_tune")
    defended = _spread(row.epochs for row in rows if row.stage == "defend")
    stages = ((scratch, "from scratch"), (tuned, "of fine-tuning"), (defended, "before the defence"))
    epochs = ", ".join(f"{count} {what}" for count, what in stages if count)
    said = [f"epochs {epochs} (paper: {paper})", _repeats(rows)]
    if strangers := sorted({cell.column for cell, figure in lines.figures.items() if figure.row.tensorized != cell.tensorized}):
        said.append(f"a net of the other kind (dense for Tucker, or the reverse) stands in at {', '.join(strangers)}")
    if shown := differing(rows):
        said.append(f"the models shown also differ in {', '.join(shown)}")
    if lines.others:
        apart = f", which differ in {', '.join(lines.others_differ)}" if lines.others_differ else ""
        said.append(f"other models that fit: {lines.others}{apart} (of each net the one trained longest is shown)")
    return said


def _repeats(rows: Sequence[ResultRow]) -> str:
    draws = _spread(row.draws for row in rows)
    each = "" if draws == "1" else f" of {draws} draws each, for a narrower interval"
    return f"repeats {_spread(row.repeats for row in rows)}{each} (paper: {_PAPER_REPEATS})"


def _against(ours: int, paper: int) -> str:
    return str(ours) if ours == paper else f"{ours} (paper: {paper})"


def _spread(counts: Iterable[int]) -> str:
    values = sorted(set(counts))
    return "" if not values else str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def _left_out(table: ComparedTable) -> list[str]:
    line_ups = list(dict.fromkeys(setup.line_up for setup in table.left_out))
    if not line_ups:
        return []
    named = dict.fromkeys(f"{setup.sweep} (width {setup.width}, {setup.n_examples} test examples, seed {setup.seed})" for setup in line_ups)
    listed = list(named)[:_MOST_LEFT_OUT] + ([f"{len(named) - _MOST_LEFT_OUT} more"] if len(named) > _MOST_LEFT_OUT else [])
    return [f"Also stored, not shown: {', '.join(listed)}; --sweep NAME shows a sweep's."]


def _to_run(table: ComparedTable) -> list[str]:
    if not table.empty:
        return []
    space = table.published.launch
    full, subset = hints.command("launch", space), hints.command("launch", f"{space}-small")
    return [f"Empty cells: {full} computes them at full size, {subset} on a subset."]
