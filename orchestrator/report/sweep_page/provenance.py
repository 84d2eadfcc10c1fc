"""Sections above the figures: verdicts on the models' reliability, and provenance."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version

import yaml
from markupsafe import Markup

from orchestrator.report.sweep_page.page_data import PageData
from orchestrator.store.reading.report_evidence import UsedEnvironment
from orchestrator.tables.status_table import stage_table
from orchestrator.tables.table import Column, Mark, Table
from orchestrator.tables.templates import fill
from orchestrator.tables.verdicts_table import checks_table, verdict_mark

_PACKAGE = "orchestrator.report"
_REVISION_DIGITS = 12


def verdicts_html(page_data: PageData) -> Markup:
    """Return the number of models with each verdict, and the checks of each model."""
    counts = Counter(verdict.verdict for verdict in page_data.verdicts)
    marks = [Mark(f"{number} {name}", verdict_mark(name).tone) for name, number in counts.items()]
    tables = [(found.description, found.model_key, checks_table(found)) for found in page_data.verdicts]
    return fill("verdicts.html", package=_PACKAGE, counts=marks, tables=tables)


def description_of(space: str) -> str:
    """Return the description in the text of a space; empty where it has none, or cannot be read."""
    try:
        found = yaml.safe_load(space)
    except yaml.YAMLError:
        return ""
    return str(found.get("description") or "") if isinstance(found, dict) else ""


def provenance_html(page_data: PageData, *, written_at: datetime) -> Markup:
    """Return sweep, versions, data, dates, environments, jobs by stage, failures, and the space as it was launched."""
    source = page_data.provenance
    finished = [environment.last_finished_at for environment in source.environments]
    facts = {
        "sweep": source.sweep,
        "data": _data(page_data),
        "made": _date(source.created_at),
        "last launched": _date(source.launched_at),
        "last result": _date(max(finished, default=None)),
        "report": f"{_date(written_at)}, robustsweep {version('robustsweep')}",
    }
    return fill(
        "provenance.html",
        package=_PACKAGE,
        facts=facts,
        environments=_environments(source.environments),
        jobs=stage_table(page_data.status),
        failures=page_data.failures,
        space=source.space,
    )


def _data(page_data: PageData) -> str:
    found = Counter((row.dataset, row.n_examples) for row in page_data.rows)
    said = [f"{dataset}, {examples} test examples" for dataset, examples in found]
    return "; ".join(said) or ", ".join(sorted({run.dataset for run in page_data.runs})) or "none yet"


def _date(time: datetime | None) -> str:
    return "never" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _revision(revision: str | None) -> str:
    """Return enough digits of a commit to find it, and the `+` of one with uncommitted changes."""
    if revision is None:
        return "not recorded"
    return revision if len(revision) <= _REVISION_DIGITS else revision[:_REVISION_DIGITS] + "+" * revision.endswith("+")


def _environments(environments: Iterable[UsedEnvironment]) -> Table:
    rows = [
        (
            used.host,
            used.device,
            used.threads,
            _revision(used.git_revision),
            ", ".join(f"{package} {number}" for package, number in used.versions.items()),
            used.jobs,
            f"{_date(used.first_finished_at)} to {_date(used.last_finished_at)}",
        )
        for used in environments
    ]
    names = ("host", "device", "threads", "git revision", "versions", "jobs", "finished")
    return Table(columns=tuple(map(Column, names)), rows=tuple(rows), empty="To fill this: finished jobs; this sweep has none yet.")
