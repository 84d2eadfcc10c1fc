"""The comparison in LaTeX: one `table` with a booktabs `tabular` for each of the paper's tables, to be put into a document."""

from collections.abc import Sequence

from orchestrator.escaping import latex
from orchestrator.report.paper.beside_published import ComparedTable, Figure
from orchestrator.report.paper.cells import Block, blocks, difference, interval, mark
from orchestrator.report.paper.notes import LEGEND, notes

_HEAD = r"% needs \usepackage[T1]{fontenc} \usepackage{booktabs} \usepackage{graphicx}"


def paper_latex(tables: Sequence[ComparedTable]) -> str:
    """The tables, which a document inputs; they are as wide as its text."""
    return "\n\n".join([_HEAD, *(_float(table) for table in tables)])


def _float(table: ComparedTable) -> str:
    columns = table.published.columns
    heading = " & ".join(["", "", *(latex(column.label) for column in columns)]) + r" \\"
    rows = "\n\\addlinespace\n".join("\n".join(_lines(block)) for block in blocks(table))
    said = " ".join(latex(_sentence(note)) for note in [LEGEND, *notes(table)])
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex(table.published.caption)} (table {table.published.number} of the paper).}}",
            rf"\label{{tab:paper-{table.published.number}}}",
            r"\resizebox{\linewidth}{!}{%",
            rf"\begin{{tabular}}{{ll{'r' * len(columns)}}}",
            r"\toprule",
            heading,
            r"\midrule",
            rows,
            r"\bottomrule",
            r"\end{tabular}}",
            rf"\par\smallskip\footnotesize\raggedright {said}",
            r"\end{table}",
        ]
    )


def _lines(block: Block) -> list[str]:
    lines = [[latex(block.row.title), "paper", *(f"{cell.published:.1f}" for cell in block.cells)]]
    for line in block.lines:
        shown = [_shown(figure) if figure else rf"\texttt{{{block.launch}}}" for figure in line.figures]
        lines.append(["", latex(line.label), *shown])
    return [" & ".join(cells) + r" \\" for cells in lines]


def _shown(figure: Figure) -> str:
    low_high = interval(figure).replace("-", "--")
    return f"{figure.accuracy:.1f} {{\\scriptsize ({low_high})}} ${difference(figure)}$ {mark(figure)}"


def _sentence(note: str) -> str:
    return note if note.endswith(".") else f"{note}."
