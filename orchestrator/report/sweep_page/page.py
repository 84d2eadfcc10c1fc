"""HTML of the report: one file that makes no requests, with all names escaped."""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from itertools import count
from typing import Any

from markupsafe import Markup

from orchestrator.naming.names import counted
from orchestrator.report.figures import CONFIG, TEMPLATES
from orchestrator.report.sweep_page.example_grids import grids_html
from orchestrator.report.sweep_page.page_data import PageData
from orchestrator.report.sweep_page.payload import pack, picture_payload, table_payload
from orchestrator.report.sweep_page.provenance import description_of, provenance_html, verdicts_html
from orchestrator.report.sweep_page.sections import PageSection
from orchestrator.tables.corruptions_table import corruptions_table
from orchestrator.tables.footnotes import footnotes
from orchestrator.tables.results_table import results_table
from orchestrator.tables.table import Table
from orchestrator.tables.templates import fill

_PACKAGE = "orchestrator.report"
Body = tuple[str, str, Markup]
"""A section's name, its title and its HTML."""


def render_page(page_data: PageData, sections: Sequence[PageSection], *, written_at: datetime | None = None) -> str:
    """Return the whole file of a report."""
    table = results_table(page_data.rows, columns=page_data.figure_rows.columns)
    results = packed_table(replace(table, notes=footnotes(table)), fill_with="finished evaluations or attacks; this sweep has none yet")
    corrupted = packed_table(corruptions_table(page_data.corruptions), fill_with="a space with a section corruptions; none is measured yet")
    glance, *others = section_bodies([sections[0], *(section for section in sections[1:] if section.choices or section.notes)])
    absent = [section for section in sections[1:] if not (section.choices or section.notes)]
    bodies = [
        *([glance] if page_data.findings.picture else []),
        ("results", "Results", results),
        *([("corruptions", "Common corruptions", corrupted)] if page_data.corruptions else []),
        ("verdicts", "Verdicts", verdicts_html(page_data)),
        *others,
        ("adversarial", "Adversarial examples", grids_html(page_data.grids, page_data.unshown)),
        *([("absent", "Not in this sweep", fill("absent.html", package=_PACKAGE, sections=absent))] if absent else []),
        ("provenance", "Provenance", provenance_html(page_data, written_at=written_at or datetime.now(UTC))),
    ]
    said = [*page_data.findings.sentences, *page_data.gaps, _summary(page_data)]
    return page_html("report", page_data.provenance.sweep, lead=description_of(page_data.provenance.space), summary=said, bodies=bodies)


def page_html(kind: str, name: str, *, lead: str = "", summary: Sequence[str], bodies: Sequence[Body]) -> str:
    """Return a whole file: title, `lead`, summary and sections. Only its own two scripts can run: the policy in its head allows them by
    their hashes."""
    own = files(_PACKAGE).joinpath("templates")
    script = "\n".join(own.joinpath(name).read_text(encoding="utf-8") for name in ("inflate.js", "report.js"))
    plotly = _inline(_plotly_js())
    return fill(
        "report.html",
        package=_PACKAGE,
        kind=kind,
        title=name,
        lead=lead,
        summary=summary,
        bodies=bodies,
        links=[(name, heading) for name, heading, _ in bodies],
        policy=_policy([plotly, script]),
        settings=pack({"config": CONFIG, **TEMPLATES}),
        plotly=plotly,
        script=script,
    )


def _plotly_js() -> str:
    """Return the script of plotly.js; Plotly's own function for it comes with all of its classes."""
    return files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")


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


def _summary(page_data: PageData) -> str:
    jobs, rows = page_data.status.totals, page_data.rows
    models = len({row.model_key for row in rows})
    said = [
        f"{sum(jobs.values())} jobs, {jobs['done']} done",
        *(f"{jobs[state]} {state}" for state in jobs if state != "done" and jobs[state]),
    ]
    return f"{counted(models, 'model')}, {counted(len(rows), 'result')}; {', '.join(said)}."


def packed_table(table: Table, *, fill_with: str) -> Markup:
    """A table that the page's script draws when it comes into view; where it is empty, a line that says what would fill it."""
    payload = pack({"table": table_payload(table)})
    missing = f"To fill this: {fill_with}."
    return fill(
        "packed_table.html", package=_PACKAGE, rows=len(table.rows), common=table.common, notes=table.notes, payload=payload, fill=missing
    )


def section_bodies(sections: Iterable[PageSection]) -> Iterator[Body]:
    """Yield the sections with their figures, which are numbered throughout."""
    numbers = count()
    for section in sections:
        yield section.name, section.title, _section_html(section, numbers)


def _section_html(section: PageSection, numbers: Iterator[int]) -> Markup:
    groups: list[tuple[str, bool, list[Any]]] = [
        (
            label,
            len(section.choices) == 1 or label == section.first,
            [(next(numbers), picture, pack(picture_payload(picture))) for picture in pictures],
        )
        for label, pictures in section.choices.items()
    ]
    chooses = any(picture.faint for pictures in section.choices.values() for picture in pictures)
    return fill("section.html", package=_PACKAGE, section=section, groups=groups, chooses=chooses)
