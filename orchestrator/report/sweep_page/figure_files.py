"""Export of figures as SVG, PDF or PNG files, drawn by plotly.js in a headless Chromium."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from choreographer.errors import BrowserFailedError, ChannelClosedError, DevtoolsProtocolError
from kaleido import Kaleido
from kaleido.errors import JavascriptError, KaleidoError

from orchestrator.naming.names import slug
from orchestrator.paths import write_atomically
from orchestrator.report.browser import browser_options
from orchestrator.report.figures import Picture
from orchestrator.report.figures.paper import ImageForm, PaperStyle, on_paper
from orchestrator.report.figures.theme import figure_of
from orchestrator.report.sweep_page.sections import PageSection
from workers.errors import UserError

_SCALE: dict[ImageForm, int] = {"png": 3, "svg": 1, "pdf": 1}
_SECONDS = 60.0


def write_images(
    sections: Sequence[PageSection], folder: Path, *, form: ImageForm, style: PaperStyle, only: Sequence[str] = ()
) -> list[Path]:
    """Write each picture (of the sections of these names, if `only` has any) to `folder`, named after its title; return the files.

    PNG files have three times the figure's resolution, enough for print.

    Raises:
        UserError: there is no browser, it fails, a file cannot be written, or there is no picture.
    """
    wanted = [section for section in sections if not only or section.name in only]
    if only and not any(section.choices for section in wanted):
        raise UserError(f"--only: nothing to draw. {' '.join(section.fill for section in wanted)}")
    try:
        return asyncio.run(_write_images(wanted, folder, form=form, style=style))
    except (JavascriptError, KaleidoError, DevtoolsProtocolError) as error:
        raise UserError(f"browser: a figure could not be drawn: {error}") from error
    except (BrowserFailedError, ChannelClosedError, TimeoutError) as error:
        raise UserError(f"browser: it ended or did not answer within {_SECONDS:g} s") from error


async def _write_images(sections: Sequence[PageSection], folder: Path, *, form: ImageForm, style: PaperStyle) -> list[Path]:
    written = []
    browser = Kaleido(mathjax=False, timeout=_SECONDS, **browser_options())
    try:
        await asyncio.wait_for(browser.open(), _SECONDS)
        for name, picture in named(sections):
            path = folder / f"{name}.{form}"
            drawing, height = on_paper(picture, style)
            options = {"format": form, "width": style.pixels, "height": height, "scale": _SCALE[form]}
            figure = json.loads(figure_of(drawing).to_json())
            write_atomically(path, await browser.calc_fig(figure, options))
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
