"""Picture grids as HTML: a fragment for notebooks and reports, and a page that opens offline."""

import base64
from collections.abc import Sequence

from markupsafe import Markup

from orchestrator.examples.example_pixels import png_bytes
from orchestrator.examples.panels import Panel, PanelRow
from orchestrator.tables.templates import fill

_PACKAGE = "orchestrator.examples"
_SHOWN_WIDTH = 128
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; base-uri 'none'; form-action 'none'"


def fragment(lines: Sequence[PanelRow], *, heard: bool = True) -> Markup:
    """Return the grid as HTML that stands by itself; where it is `heard`, sounds can be played."""
    shown = [
        (line.title, [(panel, _uri("image/png", png_bytes(panel.pixels)), _sound(panel, heard), _width(panel)) for panel in line.panels])
        for line in lines
    ]
    return fill("grid.html", package=_PACKAGE, lines=shown)


def page(lines: Sequence[PanelRow], *, title: str, notes: Sequence[str] = ()) -> str:
    """Return a whole page with the grid, which makes no requests."""
    return fill("examples.html", package=_PACKAGE, title=title, notes=notes, grid=fragment(lines), policy=_POLICY, links=())


def _width(panel: Panel) -> int:
    """Width in pixels of the screen: small images are enlarged, in whole steps."""
    own: int = panel.pixels.shape[1]
    return own * max(1, _SHOWN_WIDTH // own)


def _sound(panel: Panel, heard: bool) -> str:
    return _uri("audio/wav", panel.sound) if heard and panel.sound else ""


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
