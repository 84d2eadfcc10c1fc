"""Report of a sweep as one self-contained HTML file, and its figures as image files."""

from orchestrator.report.sweep_page.write_page import ReportOptions, report_sweep

__all__ = ["ReportOptions", "report_sweep"]
