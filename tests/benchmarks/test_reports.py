"""The HTML report of a sweep of 500 models: how long it takes to write, and how large it is."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, or_, select

from orchestrator.paths import Paths
from orchestrator.report.sweep_page import ReportOptions, report_sweep
from orchestrator.store import open_store
from orchestrator.store.schema.result_tables import AttackResultRecord, CleanResultRecord
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobParentRecord, JobRecord, SweepJobRecord
from tests.benchmarks.conftest import Record
from tests.benchmarks.many_results import fill

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]
MODELS, EXAMPLES, REPEATS = 500, 1000, 3
LEFT_OUT = ("apgd_ce", "square")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A sweep of 500 models under 3 attacks x 2 knowledges x 5 epsilons in 3 repeats: 45,000 attacks, 15,000 rows of results."""
    with tempfile.TemporaryDirectory(prefix="store") as folder:
        url = f"sqlite:///{folder}/results.db"
        with open_store(url, upgrade=True) as store:
            fill(store, models=MODELS, sweeps=1, examples=EXAMPLES)
            attack, clean = AttackResultRecord, CleanResultRecord
            with store.writing() as connection:
                surplus = or_(attack.repeat >= REPEATS, attack.attack.in_(LEFT_OUT))
                gone = select(attack.job_key).where(surplus).union(select(clean.job_key).where(clean.repeat >= REPEATS)).subquery()
                keys = connection.execute(select(gone)).scalars().all()
                connection.execute(delete(attack).where(surplus))
                connection.execute(delete(clean).where(clean.repeat >= REPEATS))
                for start in range(0, len(keys), 20_000):
                    some = keys[start : start + 20_000]
                    connection.execute(delete(AttemptRecord).where(AttemptRecord.job_key.in_(some)))
                    connection.execute(delete(SweepJobRecord).where(SweepJobRecord.job_key.in_(some)))
                    connection.execute(delete(JobParentRecord).where(JobParentRecord.child_key.in_(some)))
                    connection.execute(delete(JobRecord).where(JobRecord.key.in_(some)))
        yield url


def test_the_report_of_500_models(url: str, record: Record, tmp_path: Path) -> None:
    options = ReportOptions(paths=Paths.resolve(home=tmp_path, store=url), sweep="sweep-0", output=tmp_path / "report.html")
    wall, cpu = time.perf_counter(), time.process_time()
    (page,) = report_sweep(options)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    record("report of 500 models, seconds", wall, asked="< 10", reference="one second")
    record("report of 500 models, seconds of the processor", cpu, asked="< 10", reference="one second")
    record("report of 500 models, MB", page.stat().st_size / 1e6, asked="< 15", reference="one megabyte, 4.8 of them plotly.js")
