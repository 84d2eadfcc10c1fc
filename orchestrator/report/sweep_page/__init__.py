"""One sweep as one HTML file that opens anywhere, and its figures as pictures for papers."""

from orchestrator.report.sweep_page.write_page import ReportOptions, report_sweep

__all__ = ["ReportOptions", "report_sweep"]
