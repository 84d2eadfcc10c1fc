"""Reads of verdicts, with their checks."""

from sqlalchemy import literal, or_, select

from orchestrator.naming.names import job_description
from orchestrator.naming.varying_axes import Axes
from orchestrator.statistics.verdict import GRAVEST_FIRST, checks_of
from orchestrator.store.connection.session import Store, sweep_id
from orchestrator.store.reading.values import ModelVerdict
from orchestrator.store.reading.varying_settings import model_settings
from orchestrator.store.schema.result_tables import TrainedModelRecord, VerdictRecord
from orchestrator.store.schema.sweep_tables import JobParentRecord, JobRecord, SweepJobRecord


def model_verdicts(store: Store, sweep: str | None, *, rungs: bool = True, every_space: bool = False) -> list[ModelVerdict]:
    """Return the verdicts on the models that a sweep has measured (None: any has), in its space as it was last launched or in
    `every_space`, the gravest first, then by description and key; without `rungs` only on those that were trained to the end.

    Raises:
        UserError: no such sweep.
    """
    with store.reading() as connection:
        measuring = select(JobParentRecord.parent_key).join(SweepJobRecord, SweepJobRecord.job_key == JobParentRecord.child_key)
        measuring = measuring.where(JobParentRecord.role == "model", or_(literal(every_space), SweepJobRecord.in_space))
        if sweep is not None:
            measuring = measuring.where(SweepJobRecord.sweep_id == sweep_id(connection, sweep))
        columns = VerdictRecord.model_key, VerdictRecord.verdict, VerdictRecord.checks, VerdictRecord.judged_at, JobRecord.spec
        statement = select(*columns).join(JobRecord, JobRecord.key == VerdictRecord.model_key)
        if not rungs:
            statement = statement.join(TrainedModelRecord, TrainedModelRecord.job_key == VerdictRecord.model_key)
            statement = statement.where(TrainedModelRecord.until.is_(None))
        rows = connection.execute(statement.where(VerdictRecord.model_key.in_(measuring))).all()
        settings = model_settings(connection, [row.model_key for row in rows])
    axes = Axes.of(settings.values())
    found = [
        ModelVerdict(
            model_key=row.model_key,
            description=axes.label(settings[row.model_key]) if axes else job_description(row.spec),
            verdict=row.verdict,
            checks=checks_of(row.checks),
            judged_at=row.judged_at,
        )
        for row in rows
    ]
    return sorted(found, key=lambda item: (GRAVEST_FIRST.index(item.verdict), item.description, item.model_key))
