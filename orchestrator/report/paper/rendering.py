"""The formats of the comparison."""

from collections.abc import Callable, Sequence
from typing import Literal

from orchestrator.report.paper.beside_published import ComparedTable
from orchestrator.report.paper.latex import paper_latex
from orchestrator.report.paper.markdown import paper_markdown
from orchestrator.report.paper.paper_page import paper_html
from orchestrator.report.paper.records import paper_json
from orchestrator.report.paper.terminal import PaperReport

PaperFormat = Literal["html", "json", "latex", "markdown", "table"]

_TEXTS: dict[PaperFormat, Callable[[Sequence[ComparedTable]], str]] = {
    "html": paper_html,
    "json": paper_json,
    "latex": paper_latex,
    "markdown": paper_markdown,
}


def render_paper(tables: Sequence[ComparedTable], form: PaperFormat) -> str | PaperReport:
    """The compared tables in the asked format: text, or what rich prints on a terminal."""
    return PaperReport(tables) if form == "table" else _TEXTS[form](tables)
