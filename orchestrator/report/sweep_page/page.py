"""HTML of the report: one file that makes no requests, with all names escaped."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from itertools import count

from plotly.offline import get_plotlyjs

from orchestrator.escaping import html
from orchestrator.figures import CONFIG, TEMPLATES, Picture
from orchestrator.report.sweep_page.page_evidence import Evidence
from orchestrator.report.sweep_page.payload import Column, column, pack, picture_payload
from orchestrator.report.sweep_page.provenance import provenance_html, verdicts_html
from orchestrator.report.sweep_page.sections import Section
from orchestrator.store import ResultRow
from orchestrator.tables.result_columns import common_values, shown_columns

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{name}: robustsweep {kind}</title>
<style>
{style}</style>
</head>
<body>
<header>
<p class="kind">robustsweep {kind}</p>
<h1>{name}</h1>
{summary}
<nav>{links}</nav>
</header>
<main>
<noscript><p class="empty">Figures and tables are drawn by this file's own script, which is switched off here.</p></noscript>
{sections}
</main>
<script type="text/plain" id="settings">{settings}</script>
<script>{plotly}</script>
<script>{script}</script>
</body>
</html>
"""


def render_page(evidence: Evidence, sections: Sequence[Section], *, written_at: datetime | None = None) -> str:
    """Return the whole file of a report."""
    numbers = count()
    bodies = [
        ("verdicts", "Verdicts", verdicts_html(evidence)),
        ("provenance", "Provenance", provenance_html(evidence, written_at=written_at or datetime.now(UTC))),
        ("results", "Results", _results_html(evidence.rows)),
        *((section.name, section.title, section_html(section, numbers)) for section in sections),
    ]
    return page_html("report", evidence.provenance.sweep, summary=_summary(evidence), bodies=bodies)


def page_html(kind: str, name: str, *, summary: str, bodies: Sequence[tuple[str, str, str]]) -> str:
    """Return a whole file: sections by their name, title and HTML. Only its own two scripts can run: the policy in its head allows them
    by their hashes."""
    style, script, plotly = _asset("report.css"), _asset("report.js"), _inline(get_plotlyjs())
    return _PAGE.format(
        policy=_policy([plotly, script]),
        kind=kind,
        name=html(name),
        style=style,
        summary=summary,
        links=" ".join(f'<a href="#{name}">{title}</a>' for name, title, _ in bodies),
        sections="\n".join(f'<section id="{name}">\n<h2>{title}</h2>\n{body}\n</section>' for name, title, body in bodies),
        settings=pack({"config": CONFIG, **{ground: template.to_plotly_json() for ground, template in TEMPLATES.items()}}),
        plotly=plotly,
        script=script,
    )


def _asset(name: str) -> str:
    return files("orchestrator.report.sweep_page").joinpath(name).read_text(encoding="utf-8")


def _inline(script: str) -> str:
    """Escape a script for HTML: a closing tag in a string would otherwise end the element."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _policy(scripts: Iterable[str]) -> str:
    """Return a Content Security Policy that forbids every request, and every script except these."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts)
    allowed = {
        "script-src": hashes,
        "style-src": "'unsafe-inline'",
        "img-src": "data: blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(["default-src 'none'", *(f"{kind} {sources}" for kind, sources in allowed.items())])


def _summary(evidence: Evidence) -> str:
    jobs, rows = evidence.jobs, evidence.rows
    models = len({row.model_key for row in rows})
    said = [
        f"{sum(jobs.values())} jobs, {jobs['done']} done",
        *(f"{jobs[state]} {state}" for state in jobs if state != "done" and jobs[state]),
    ]
    return f"<p>{_number(models, 'model')}, {_number(len(rows), 'result')}; {', '.join(said)}.</p>"


def _number(amount: int, thing: str) -> str:
    return f"{amount} {thing}{'' if amount == 1 else 's'}"


def _results_html(rows: Sequence[ResultRow]) -> str:
    if not rows:
        return '<p class="empty">To fill this: finished evaluations or attacks; this sweep has none yet.</p>'
    table = [column(shown.title, [shown.text(row) for row in rows], numeric=shown.numeric) for shown in shown_columns(rows)]
    return f"<p>All rows: {html(', '.join(common_values(rows)))}.</p>\n{table_html(table, len(rows))}"


def table_html(table: Sequence[Column], rows: int) -> str:
    """Return a table that the page's script draws when it comes into view."""
    return f'<div class="table" data-rows="{rows}"><script type="text/plain">{pack({"table": list(table)})}</script></div>'


def section_html(section: Section, numbers: Iterable[int]) -> str:
    parts = [f'<p class="caption">Left out: {html(note)}</p>' for note in section.notes]
    if not section.choices:
        return "\n".join([*parts, f'<p class="empty">{html(section.fill)}</p>'])
    parts += [_select(section)] if len(section.choices) > 1 else []
    for place, (label, pictures) in enumerate(section.choices.items()):
        hidden = "" if len(section.choices) == 1 or label == section.first else " hidden"
        figures = "\n".join(_figure(picture, number) for picture, number in zip(pictures, numbers, strict=False))
        parts.append(f'<div class="pictures" data-choice="{place}"{hidden}>\n{figures}\n</div>')
    return "\n".join(parts)


def _select(section: Section) -> str:
    options = "".join(
        f'<option value="{place}"{" selected" if label == section.first else ""}>{html(label)}</option>'
        for place, label in enumerate(section.choices)
    )
    return f'<label class="choose">Show <select>{options}</select></label>'


def _figure(picture: Picture, number: int) -> str:
    title = html(picture.title)
    rows = _number(len(picture.table), "row")
    return (
        f'<figure id="figure-{number}"><figcaption><h3>{title}</h3></figcaption>'
        f'<div class="plot" role="img" aria-label="{title}"></div>'
        f'<p class="caption">{html(picture.caption)}</p>'
        f'<details><summary>Data table, {rows}</summary><div class="table" data-rows="{len(picture.table)}"></div></details>'
        f'<script type="text/plain">{pack(picture_payload(picture))}</script></figure>'
    )
