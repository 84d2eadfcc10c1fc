"""A hook of the site's builder: each notebook is a page, with the outputs that it keeps. Nothing is executed."""

import json
import re
from html import escape
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_PICTURES = {"image/svg+xml": "svg+xml;utf8", "image/png": "png;base64"}


def on_files(files: "Files", *, config: "MkDocsConfig") -> "Files":
    """Add a page for each notebook to the site's files."""
    from mkdocs.structure.files import File

    for file in [one for one in files if one.src_uri.endswith(".ipynb")]:
        page = str(PurePosixPath(file.src_uri).with_suffix(".md"))
        files.append(File.generated(config, page, content=page_of(json.loads(file.content_string), file.name)))
    return files


def page_of(notebook: dict[str, Any], name: str) -> str:
    """Return a notebook as Markdown: its texts, its code, and below each piece what it showed."""
    parts = [part for cell in notebook["cells"] for part in _cell(cell)]
    return "\n\n".join([*parts, f"This page is a notebook, [{name}.ipynb]({name}.ipynb), with the outputs of its last execution.", ""])


def _cell(cell: dict[str, Any]) -> list[str]:
    text = "".join(cell["source"]).strip()
    if cell["cell_type"] != "code":
        return [text]
    return [f"```python\n{text}\n```", *(shown for output in _joined(cell["outputs"]) if (shown := _output(output)))]


def _joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The outputs with texts that were printed one after the other as one."""
    found: list[dict[str, Any]] = []
    for output in outputs:
        if found and output["output_type"] == found[-1]["output_type"] == "stream":
            found[-1] = {**found[-1], "text": [*found[-1]["text"], *output["text"]]}
        else:
            found.append(output)
    return found


def _output(output: dict[str, Any]) -> str:
    """An output as HTML."""
    if output["output_type"] == "stream":
        return _framed(_preformatted("".join(output["text"])))
    data = output.get("data", {})
    for kind, encoding in _PICTURES.items():
        if kind in data:
            return _framed(_picture("".join(data[kind]), encoding))
    if "text/html" in data:
        return _framed("".join(data["text/html"]))
    return _framed(_preformatted("".join(data.get("text/plain", ""))))


def _picture(content: str, encoding: str) -> str:
    from urllib.parse import quote

    return f'<img alt="" src="data:image/{encoding},{quote(content) if encoding.endswith("utf8") else "".join(content.split())}">'


def _preformatted(text: str) -> str:
    return f"<pre>{escape(_COLOURS.sub('', text))}</pre>" if text.strip() else ""


def _framed(html: str) -> str:
    """HTML in a frame of its own, its blank lines written in another way: in Markdown they would end it."""
    return f'<div class="output">{_BLANK_LINE.sub(chr(10) + "&#10;", html.strip())}</div>' if html.strip() else ""
