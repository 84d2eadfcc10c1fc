"""What pages and pictures need, asked before anything is read: a missing package or browser costs nobody a minute."""

from importlib.util import find_spec

from workers.errors import UserError


def check_needs(command: str, *, images: bool) -> None:
    """Whether a page can be made, and its figures as images if they are wanted.

    Raises:
        UserError: Plotly, or for images a browser, is missing.
    """
    if find_spec("plotly") is None:
        raise UserError(f"{command}: Plotly is not installed; pip install 'robustsweep[dashboard]'")
    if images:
        from orchestrator.report.browser import find_browser

        find_browser()
