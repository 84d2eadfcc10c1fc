"""Sections above the figures: verdicts on the models' reliability, and provenance."""

import html as standard_html
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from orchestrator.escaping import html, visible
from orchestrator.report.sweep_page.page_evidence import Evidence
from orchestrator.store import Failure, ModelVerdict
from orchestrator.store.reading.report_evidence import UsedEnvironment

_KEY_DIGITS = 8
_REVISION_DIGITS = 12


def verdicts_html(evidence: Evidence) -> str:
    """Return the number of models with each verdict, and the checks of each model."""
    if not evidence.verdicts:
        return '<p class="empty">To fill this: attacked or diagnosed models (diagnosis: {} in a space); there is no verdict yet.</p>'
    counts = Counter(verdict.verdict for verdict in evidence.verdicts)
    badges = " ".join(f'<span class="badge {html(name)}">{number} {html(name)}</span>' for name, number in counts.items())
    found = "\n".join(_verdict(verdict) for verdict in evidence.verdicts)
    return f'<p>{badges}</p>\n<div class="scroll">{found}</div>'


def _verdict(verdict: ModelVerdict) -> str:
    rows = [[check.name, check.outcome, check.reason] for check in verdict.checks]
    badge = f'<span class="badge {html(verdict.verdict)}">{html(verdict.verdict)}</span>'
    name = f"{verdict.description} ({verdict.model_key[:_KEY_DIGITS]})"
    return f"<details><summary>{badge} {html(name)}</summary>{_table(['check', 'outcome', 'what was found'], rows)}</details>"


def provenance_html(evidence: Evidence, *, written_at: datetime) -> str:
    """Return sweep, versions, data, dates, environments, jobs by stage, failures, and the space as it was launched."""
    source = evidence.provenance
    finished = [environment.last_finished_at for environment in source.environments]
    facts = {
        "sweep": source.sweep,
        "data": _data(evidence),
        "made": _date(source.created_at),
        "last launched": _date(source.launched_at),
        "last result": _date(max(finished, default=None)),
        "report": f"{_date(written_at)}, robustsweep {version('robustsweep')}",
    }
    stages = [
        [stage, *(str(getattr(counts, state)) for state in evidence.jobs), str(counts.total)]
        for stage, counts in evidence.status.stages.items()
    ]
    parts = [
        '<dl class="facts">' + "".join(f"<dt>{name}</dt><dd>{html(value)}</dd>" for name, value in facts.items()) + "</dl>",
        "<h3>Environments of all finished jobs, those of older spaces included</h3>",
        _environments(source.environments),
        "<h3>Jobs of the space</h3>",
        _table(["stage", *evidence.jobs, "all"], stages, stacks=False),
        *_failures(evidence.failures),
        f"<details><summary>Space, as it was last launched</summary><pre>{_block(source.space)}</pre></details>",
    ]
    return "\n".join(parts)


def _data(evidence: Evidence) -> str:
    found = Counter((row.dataset, row.n_examples) for row in evidence.rows)
    said = [f"{dataset}, {examples} test examples" for dataset, examples in found]
    return "; ".join(said) or ", ".join(sorted({run.dataset for run in evidence.runs})) or "none yet"


def _date(time: datetime | None) -> str:
    return "never" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _revision(revision: str | None) -> str:
    """Return enough digits of a commit to find it, and the `+` of one with uncommitted changes."""
    if revision is None:
        return "not recorded"
    return revision if len(revision) <= _REVISION_DIGITS else revision[:_REVISION_DIGITS] + "+" * revision.endswith("+")


def _environments(environments: Iterable[UsedEnvironment]) -> str:
    rows = [
        [
            used.host,
            used.device,
            str(used.threads),
            _revision(used.git_revision),
            ", ".join(f"{package} {number}" for package, number in used.versions.items()),
            str(used.jobs),
            f"{_date(used.first_finished_at)} to {_date(used.last_finished_at)}",
        ]
        for used in environments
    ]
    if not rows:
        return '<p class="empty">To fill this: finished jobs; this sweep has none yet.</p>'
    return _table(["host", "device", "threads", "git revision", "versions", "jobs", "finished"], rows)


def _failures(failures: Iterable[Failure]) -> list[str]:
    found = [
        f"<details><summary>{html(failure.stage)} {html(failure.description)} ({failure.key[:_KEY_DIGITS]}), "
        f"{failure.attempts} attempts: {html(failure.error)}</summary><pre>{_block(failure.traceback)}</pre></details>"
        for failure in failures
    ]
    return [f"<h3>Failed jobs: {len(found)}</h3>", *found] if found else ["<p>No job of the space has failed.</p>"]


def _block(text: str) -> str:
    """Escape a text of several lines, with every character visible."""
    return standard_html.escape(visible(text, keep="\n\t"))


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, stacks: bool = True) -> str:
    """Return a table; if it `stacks`, a narrow screen shows its rows as blocks, each cell with its title."""
    head = "".join(f"<th>{html(title)}</th>" for title in titles)
    body = "".join(
        "<tr>" + "".join(f'<td data-title="{html(title)}">{html(cell)}</td>' for title, cell in zip(titles, row, strict=True)) + "</tr>"
        for row in rows
    )
    stacked = ' class="stacks"' if stacks else ""
    return f'<div class="scroll"><table{stacked}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
