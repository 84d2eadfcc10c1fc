"""Figures as SVG or PNG files, drawn by plotly.js in a headless Chromium, as the page draws them."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from urllib.parse import unquote

from plotly.offline import get_plotlyjs

from orchestrator.atomic_write import write_atomically
from orchestrator.figures import TEMPLATES, Picture, plain
from orchestrator.names import slug
from orchestrator.report.browser import Browser, find_browser
from orchestrator.report.sweep_page.sections import Section

WIDTH, HEIGHT = 640, 440
_SCALE = {"png": 3, "svg": 1}
_DRAW = "Plotly.toImage({figure}, {options})"


def write_images(sections: Sequence[Section], folder: Path, *, form: Literal["png", "svg"]) -> list[Path]:
    """Write each picture to `folder`, named after its title, on white; the files.

    PNG files have three pixels for each of the figure's, enough for print at a column's width.

    Raises:
        UserError: there is no browser, it fails, or a file cannot be written.
    """
    written = []
    with Browser(find_browser()) as browser, TemporaryDirectory() as temporary:
        page = Path(temporary) / "plotly.html"
        page.write_text(f"<!doctype html><meta charset=utf-8><body><script>{get_plotlyjs()}</script>", encoding="utf-8")
        browser.open(page)
        for name, picture in named(sections):
            path = folder / f"{name}.{form}"
            write_atomically(path, _image(browser, picture, form))
            written.append(path)
    return written


def named(sections: Sequence[Section]) -> Iterator[tuple[str, Picture]]:
    """Each picture with a name for its file; equal names are numbered."""
    taken: dict[str, int] = {}
    for section in sections:
        for picture in (picture for pictures in section.choices.values() for picture in pictures):
            name = slug(picture.title.lower())
            taken[name] = taken.get(name, 0) + 1
            yield (name if taken[name] == 1 else f"{name}-{taken[name]}"), picture


def _image(browser: Browser, picture: Picture, form: Literal["png", "svg"]) -> bytes:
    options = {"format": form, "width": WIDTH, "height": HEIGHT, "scale": _SCALE[form]}
    address: str = browser.evaluate(_DRAW.format(figure=json.dumps(_on_white(picture)), options=json.dumps(options)))
    head, _, content = address.partition(",")
    return base64.b64decode(content) if head.endswith("base64") else unquote(content).encode()


def _on_white(picture: Picture) -> dict[str, Any]:
    figure: dict[str, Any] = json.loads(picture.figure.to_json())
    figure["layout"] |= {"template": TEMPLATES["light"].to_plotly_json(), "paper_bgcolor": "#ffffff", "plot_bgcolor": "#ffffff"}
    figure["layout"]["title"] = {"text": plain(picture.title), "font": {"size": 15}, "x": 0.02, "xanchor": "left"}
    figure["layout"]["margin"] = {**figure["layout"].get("margin", {}), "t": 48}
    return figure
