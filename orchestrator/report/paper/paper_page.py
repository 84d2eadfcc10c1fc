"""The comparison as one HTML file: no script, no request, light and dark, wide tables in a frame of their own that scrolls."""

from collections.abc import Sequence
from importlib.resources import files

from orchestrator.escaping import html
from orchestrator.report.paper.beside_published import ComparedTable, Figure
from orchestrator.report.paper.cells import Block, blocks, difference, interval, mark, title
from orchestrator.report.paper.notes import LEGEND, notes

_TITLE = "The paper's tables, and ours"


def paper_html(tables: Sequence[ComparedTable]) -> str:
    """A complete page, which opens offline."""
    style = files("orchestrator.report.paper").joinpath("style.css").read_text(encoding="utf-8")
    links = "".join(f'<a href="#{_anchor(table)}">Table {table.published.number}</a>' for table in tables)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html(_TITLE)}</title>",
            f"<style>\n{style}</style></head>",
            f'<body>\n<h1>{html(_TITLE)}</h1>\n<p class="legend">{html(LEGEND)}</p>\n<nav aria-label="Tables">{links}</nav>',
            *(_section(table) for table in tables),
            "</body>\n</html>",
        ]
    )


def _anchor(table: ComparedTable) -> str:
    return f"table{table.published.number}"


def _section(table: ComparedTable) -> str:
    heading = html(title(table))
    columns = "".join(f'<th scope="col">{html(column.label)}</th>' for column in table.published.columns)
    listed = "\n".join(f"<li>{html(note)}</li>" for note in notes(table))
    return "\n".join(
        [
            f'<section id="{_anchor(table)}">\n<h2>{heading}</h2>',
            f'<div class="scroll" role="region" tabindex="0" aria-label="{heading}"><table>',
            f"<thead><tr><th></th><th></th>{columns}</tr></thead>",
            *(_body(block) for block in blocks(table)),
            f"</table></div>\n<ul>\n{listed}\n</ul>\n</section>",
        ]
    )


def _body(block: Block) -> str:
    published = "".join(f'<td class="paper">{cell.published:.1f}</td>' for cell in block.cells)
    row_title = f'<th scope="rowgroup" rowspan="{1 + len(block.lines)}">{html(block.row.title)}</th>'
    lines = [f'<tr>{row_title}<th scope="row">paper</th>{published}</tr>']
    for line in block.lines:
        shown = "".join(_cell(figure, block.launch) for figure in line.figures)
        lines.append(f'<tr><th scope="row">{html(line.label)}</th>{shown}</tr>')
    return "<tbody>\n" + "\n".join(lines) + "\n</tbody>"


def _cell(figure: Figure | None, launch: str) -> str:
    if figure is None:
        return f"<td><code>{html(launch)}</code></td>"
    marked = f'<span class="mark {mark(figure)}">{difference(figure)} {mark(figure)}</span>'
    return f"<td><b>{figure.accuracy:.1f}</b> <small>{interval(figure)}</small>{marked}</td>"
