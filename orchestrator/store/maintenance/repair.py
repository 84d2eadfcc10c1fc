"""Repair of a store by its jobs' artifacts, which hold each job with its parents and its result."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, update

from orchestrator.store.connection.session import Store, chunks, known_jobs
from orchestrator.store.maintenance.check import Finding
from orchestrator.store.schema.base import table_of
from orchestrator.store.schema.result_tables import result_tables
from orchestrator.store.schema.sweep_tables import JobParentRecord, JobRecord
from orchestrator.store.writing.record import insert_or_ignore, record_result
from orchestrator.store.writing.rows import job_row, parent_rows
from orchestrator.store.writing.verdict_table import refresh_verdict, refresh_worst_cases
from workers.artifacts.artifacts import Artifacts
from workers.errors import ArtifactError, StorageError
from workers.spec.job import Job
from workers.spec.keys import KEY_VERSION

_BY_ARTIFACT = frozenset({"references", "job keys", "parents", "flags", "done jobs", "rows"})


def repair_store(store: Store, artifacts: Artifacts, findings: Sequence[Finding]) -> list[str]:
    """Mend what artifacts can; return what was done, in lines. Doing it again, after a crash too, goes on with what is left.

    Raises:
        StorageError: the artifacts cannot be read.
    """
    concerned = {finding.subject: finding.keys for finding in findings}
    broken = sorted({key for subject, keys in concerned.items() if subject in _BY_ARTIFACT for key in keys})
    whole = [job for key in broken if (job := _whole(artifacts, key)) is not None]
    lost = sorted({*concerned.get("done jobs", ())} - {job.key for job in whole})
    with store.writing() as connection:
        _restore_jobs(connection, whole)
        _set_state(connection, lost, "planned")
        _set_state(connection, concerned.get("results", ()), "done")
    for job in whole:
        record_result(store, job, artifacts.result(job.key), attempt_id=None)
    with store.writing() as connection:
        for model in (outdated := concerned.get("verdicts", ())):
            refresh_worst_cases(connection, model)
            refresh_verdict(connection, model)
    done = {
        "jobs and results restored from their artifacts": len(whole),
        "done jobs without result or artifact, planned again": len(lost),
        "jobs with a result recorded as done": len(concerned.get("results", ())),
        "models judged anew": len(outdated),
    }
    return [f"{number} {what}" for what, number in done.items() if number]


def _whole(artifacts: Artifacts, key: str) -> Job | None:
    """Return a finished job whose files are unchanged and tell its key; None for any other."""
    try:
        job = artifacts.job(key)
    except StorageError:
        raise
    except ArtifactError:
        return None
    return job if job.key_version == KEY_VERSION and artifacts.damage(key) is None else None


def _restore_jobs(connection: Connection, jobs: Sequence[Job]) -> None:
    """Write the rows of jobs as their artifacts have them, and remove those of their results, to be recorded again."""
    rows = [job_row(job) for job in jobs]
    insert_or_ignore(connection, table_of(JobRecord), rows)
    for row in rows:
        connection.execute(update(JobRecord).where(JobRecord.key == row["key"]).values(row))
    keys = [job.key for job in jobs]
    for chunk in chunks(keys):
        connection.execute(delete(JobParentRecord).where(JobParentRecord.child_key.in_(chunk)))
        for table in result_tables():
            connection.execute(delete(table).where(table.c.job_key.in_(chunk)))
    edges = [edge for job in jobs for edge in parent_rows(job)]
    known = known_jobs(connection, (edge["parent_key"] for edge in edges))
    insert_or_ignore(connection, table_of(JobParentRecord), [edge for edge in edges if edge["parent_key"] in known])


def _set_state(connection: Connection, keys: Sequence[str], state: str) -> None:
    for chunk in chunks(keys):
        connection.execute(update(JobRecord).where(JobRecord.key.in_(chunk)).values(state=state))
