"""Picture grids as HTML, a fragment for notebooks and reports or a page that opens offline, and as PNG files, drawn without a browser."""

import base64
import io
from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup

from orchestrator.report.examples.panels import Panel, PanelRow
from orchestrator.report.examples.renderings import enlarged, png_bytes
from orchestrator.tables.templates import fill

_PACKAGE = "orchestrator.report.examples"
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


_ROWS = 128
_GAP, _TEXT, _TITLE = 12, 13, 15
_PAPER, _INK, _FAINT = (255, 255, 255), (25, 25, 25), (95, 95, 95)
_TONES = {"right": (46, 125, 50), "wrong": (198, 40, 40), "": _FAINT}
_LEAST_WIDTH = 148
_WIDEST_PAGE = 1000


def draw(lines: Sequence[PanelRow], *, title: str, notes: Sequence[str] = ()) -> bytes:
    """Return the grid as a PNG file: examples next to and below each other, each panel with its caption, what is predicted wrong in red."""
    from PIL import Image, ImageDraw

    blocks = [_block(line) for line in lines]
    wide = max((block.width for block in blocks), default=_LEAST_WIDTH)
    across = max(1, min(len(blocks), _WIDEST_PAGE // (wide + _GAP)))
    high = max((block.height for block in blocks), default=0)
    down = -(-len(blocks) // across)
    heading = [title, *notes]
    top = _GAP + len(heading) * (_TITLE + 6)
    width = max(across * (wide + 2 * _GAP) + _GAP, min(_WIDEST_PAGE, 8 * max(map(len, heading))))
    page = Image.new("RGB", (width, top + down * (high + _GAP) + _GAP), _PAPER)
    pen = ImageDraw.Draw(page)
    for row, text in enumerate(heading):
        pen.text((_GAP, _GAP + row * (_TITLE + 6)), _fitted(pen, text, width - 2 * _GAP, _TITLE), fill=_INK, font=_font(_TITLE))
    for place, block in enumerate(blocks):
        page.paste(block, (_GAP + place % across * (wide + 2 * _GAP), top + place // across * (high + _GAP)))
    content = io.BytesIO()
    page.save(content, format="PNG", optimize=True)
    return content.getvalue()


def _block(line: PanelRow) -> Any:
    """Draw the panels of one example, with its title."""
    from PIL import Image, ImageDraw

    pictures = [Image.fromarray(enlarged(panel.pixels, _ROWS)) for panel in line.panels]
    widths = [max(picture.width, _LEAST_WIDTH) for picture in pictures]
    above, below = _TITLE + 8, 2 * (_TEXT + 4) + 4
    block = Image.new("RGB", (sum(widths) + _GAP * (len(widths) - 1), above + max(one.height for one in pictures) + below), _PAPER)
    pen = ImageDraw.Draw(block)
    pen.text((0, 2), _fitted(pen, line.title, block.width, _TITLE), fill=_INK, font=_font(_TITLE))
    left = 0
    for panel, picture, width in zip(line.panels, pictures, widths, strict=True):
        block.paste(picture, (left, above))
        for row, (text, ink) in enumerate(_captions(panel)):
            pen.text((left, above + picture.height + 3 + row * (_TEXT + 4)), _fitted(pen, text, width, _TEXT), fill=ink, font=_font(_TEXT))
        left += width + _GAP
    return block


def _captions(panel: Panel) -> Iterable[tuple[str, tuple[int, int, int]]]:
    return [(panel.heading, _FAINT), (panel.caption, _TONES[panel.tone])]


def _fitted(pen: Any, text: str, width: int, size: int) -> str:
    """Return as much of a text as fits."""
    if pen.textlength(text, font=_font(size)) <= width:
        return text
    while text and pen.textlength(f"{text}...", font=_font(size)) > width:
        text = text[:-1]
    return f"{text}..."


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
