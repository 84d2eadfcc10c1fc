"""Export of figures as SVG or PNG files, drawn by plotly.js in a headless Chromium, as on the page."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from choreographer.errors import BrowserFailedError, ChannelClosedError, DevtoolsProtocolError
from kaleido import Kaleido
from kaleido.errors import JavascriptError, KaleidoError

from orchestrator.figures import TEMPLATES, Picture, plain
from orchestrator.names import slug
from orchestrator.paths import write_atomically
from orchestrator.report.browser import browser_options
from orchestrator.report.sweep_page.sections import PageSection
from workers.errors import UserError

WIDTH, HEIGHT = 640, 440
_SCALE = {"png": 3, "svg": 1}
_SECONDS = 60.0


def write_images(sections: Sequence[PageSection], folder: Path, *, form: Literal["png", "svg"]) -> list[Path]:
    """Write each picture to `folder`, named after its title, on white; return the files.

    PNG files have three times the figure's resolution, enough for print at a column's width.

    Raises:
        UserError: there is no browser, it fails, or a file cannot be written.
    """
    try:
        return asyncio.run(_write_images(sections, folder, form=form))
    except (JavascriptError, KaleidoError, DevtoolsProtocolError) as error:
        raise UserError(f"browser: a figure could not be drawn: {error}") from error
    except (BrowserFailedError, ChannelClosedError, TimeoutError) as error:
        raise UserError(f"browser: it ended or did not answer within {_SECONDS:g} s") from error


async def _write_images(sections: Sequence[PageSection], folder: Path, *, form: Literal["png", "svg"]) -> list[Path]:
    written = []
    browser = Kaleido(mathjax=False, timeout=_SECONDS, **browser_options())
    options = {"format": form, "width": WIDTH, "scale": _SCALE[form]}
    try:
        await asyncio.wait_for(browser.open(), _SECONDS)
        for name, picture in named(sections):
            path = folder / f"{name}.{form}"
            write_atomically(
                path, await browser.calc_fig(_on_white(picture), {**options, "height": max(HEIGHT, picture.drawing["layout"]["height"])})
            )
            written.append(path)
    finally:
        await browser.close()
    return written


def named(sections: Sequence[PageSection]) -> Iterator[tuple[str, Picture]]:
    """Yield each picture with a name for its file; equal names are numbered."""
    taken: dict[str, int] = {}
    for section in sections:
        for picture in (picture for pictures in section.choices.values() for picture in pictures):
            name = slug(picture.title.lower())
            taken[name] = taken.get(name, 0) + 1
            yield (name if taken[name] == 1 else f"{name}-{taken[name]}"), picture


def _on_white(picture: Picture) -> dict[str, Any]:
    figure: dict[str, Any] = json.loads(picture.figure.to_json())
    figure["layout"] |= {"template": TEMPLATES["light"], "paper_bgcolor": "#ffffff", "plot_bgcolor": "#ffffff"}
    figure["layout"]["title"] = {"text": plain(picture.title), "font": {"size": 15}, "x": 0.02, "xanchor": "left"}
    figure["layout"]["margin"] = {**figure["layout"].get("margin", {}), "t": 48}
    return figure
