"""The paper's tables 1 to 5 together with what the store holds."""

from orchestrator.report.paper.paper_tables import render_paper
from orchestrator.report.paper.published import published_tables
from orchestrator.report.paper.published_comparison import ComparedTable, compare
from orchestrator.report.paper.write_paper import report_paper

__all__ = ["ComparedTable", "compare", "published_tables", "render_paper", "report_paper"]
