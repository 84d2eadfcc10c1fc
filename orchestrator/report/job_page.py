"""Rendering of one job, as text and as JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from orchestrator.naming.names import counted
from orchestrator.report.artifact_files import ArtifactListing, Rerun
from orchestrator.store.reading.job_details import Attempt, JobDetails, RecordedResult, Relative
from orchestrator.terminal.escaping import json_text, visible
from workers.errors import UserError
from workers.plugins import job_from_json
from workers.spec.job import JOB, Job

_KEY_DIGITS = 12
_MOST_CHILDREN = 20


def render_job(job: JobDetails, artifact: ArtifactListing, again: Rerun) -> str:
    """Return all details of the job as plain text, one section after the other, with names and messages escaped for a terminal."""
    sections = {
        f"{job.stage} job {job.key}": [f"{job.description}: {job.state}", *_held(job)],
        "spec": [*_tree(job.spec)],
        "parents": [*_relatives(job.parents)],
        "children": [*_relatives(job.children[:_MOST_CHILDREN]), *_more(len(job.children) - _MOST_CHILDREN)],
        "attempts": [line for attempt in job.attempts for line in _attempt(attempt)],
        "result": [] if job.result is None else [*_tree({**job.result.values, "seconds": job.result.seconds}, shares=True)],
        "verdict": [] if job.verdict is None else [job.verdict.verdict, *job.verdict.reasons],
        "environment": [] if job.result is None else [*_environment(job.result)],
        "artifact": [artifact.folder, *_files(artifact)],
        "run it alone": [*again.before, again.command],
    }
    blocks = ("\n".join([title, *(f"  {line}" for line in lines)]) for title, lines in sections.items() if lines)
    return visible("\n\n".join(blocks), keep="\n")


def job_json(job: JobDetails, artifact: ArtifactListing, again: Rerun) -> str:
    """Return the job as JSON: times in ISO 8601, accuracies in [0, 1], sizes in bytes (null for a missing file)."""
    files = {"folder": artifact.folder, "files": {file.name: file.size for file in artifact.files}}
    return json_text({**asdict(job), "artifact": files, "run_alone": asdict(again)}, indent=1, default=datetime.isoformat)


def job_file(job: JobDetails) -> str:
    """Return the job as its worker reads it, the text of `job.json`.

    Raises:
        UserError: the key of the spec is different in this version of the program.
    """
    made_of = {"parents": {parent.role: parent.key for parent in job.parents}, "parent_seeds": job.parent_seeds, "digests": job.digests}
    try:
        found: Job | None = job_from_json(json.dumps({"spec": dict(job.spec), **made_of, "plugins": job.plugins}))
    except ValueError:
        found = None
    if found is None or found.key != job.key:
        raise UserError(f"job {job.key}: its spec is that of another version of robustsweep, which must run it")
    return JOB.dump_json(found, indent=1).decode()


def _held(job: JobDetails) -> Iterable[str]:
    return (f"in sweep {held.sweep}" + ("" if held.in_space else " (no longer in its space)") + f": {held.label}" for held in job.sweeps)


def _tree(values: Mapping[str, Any], *, shares: bool = False, indent: str = "") -> Iterable[str]:
    """Yield nested settings, one a line; with `shares`, accuracies as percentages, and of a list (history, probes) only the last entry."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}:"
            yield from _tree(value, shares=shares, indent=indent + "  ")
        elif shares and isinstance(value, list) and value and isinstance(value[0], Mapping):
            last = ", ".join(f"{key} {_word(item)}" for key, item in value[-1].items())
            yield f"{indent}{name}: {len(value)}, the last: {last}"
        elif shares and name == "accuracy":
            yield f"{indent}accuracy: {value:.2%} (95 % interval {values['ci_low']:.2%} to {values['ci_high']:.2%})"
        elif not (shares and name in ("ci_low", "ci_high")):
            yield f"{indent}{name}: {_word(value)}"


def _word(value: object) -> str:
    if isinstance(value, bool | None):
        return json.dumps(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _relatives(relatives: Iterable[Relative]) -> Iterable[str]:
    return (f"{item.key[:_KEY_DIGITS]}  {item.stage}: {item.description} ({item.state}, role {item.role})" for item in relatives)


def _more(number: int) -> Iterable[str]:
    if number > 0:
        yield f"and {number} more: -f json has all"


def _attempt(attempt: Attempt) -> Iterable[str]:
    """Yield the lines of an attempt: its outcome, its error and the full traceback."""
    until = "" if attempt.finished_at is None else f" to {_time(attempt.finished_at)}"
    sweep = "" if attempt.sweep is None else f", for sweep {attempt.sweep}"
    yield f"{attempt.number}. {attempt.outcome}: {_time(attempt.started_at)}{until}{sweep}"
    if attempt.error:
        yield f"   {attempt.error}"
    yield from (f"   {line}" for line in (attempt.traceback or "").splitlines())


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _environment(result: RecordedResult) -> Iterable[str]:
    yield f"{result.host}, {result.device}, {counted(result.threads, 'thread')}"
    yield f"recorded {_time(result.finished_at)}, git revision {result.git_revision or 'unknown'}"
    yield ", ".join(f"{name} {version}" for name, version in result.versions.items())


def _files(artifact: ArtifactListing) -> Iterable[str]:
    if all(file.size is None for file in artifact.files):
        yield "is not there"
        return
    for file in artifact.files:
        yield f"{file.name}: {'MISSING' if file.size is None else f'{file.size:,} bytes'}"
