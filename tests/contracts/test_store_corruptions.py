"""Accuracies under common corruptions, in both databases."""

import numpy as np
import pytest

from orchestrator.store import Store, open_store, record_result, result_rows
from orchestrator.store.connection.read_only_sql import ask
from orchestrator.store.reading.corruption_rows import corruption_rows
from orchestrator.store.reading.job_details import job_details
from orchestrator.tables.corruptions_table import corruptions_data, corruptions_table
from tests.builders import ENVIRONMENT, evaluate_job, pretrain_job, result_of
from tests.stored import record_sweep
from workers.artifacts.outcomes import FlagsOutcome, Result
from workers.spec.corruption import CorruptionSpec
from workers.spec.job import Job
from workers.spec.stage_specs import CorruptSpec, EvaluationSpec

MODEL = pretrain_job()
EVALUATE = evaluate_job(MODEL)
RIGHT = {("fog", 1): 12, ("fog", 5): 4, ("snow", 1): 8}


def corrupt_job(name: str, severity: int) -> Job:
    evaluation = EvaluationSpec(examples=16, batch_size=8)
    return Job.of(CorruptSpec(corruption=CorruptionSpec(name=name, severity=severity), evaluation=evaluation, repeat=0), model=MODEL)


@pytest.fixture
def store(url: str):
    jobs = [(corrupt_job(*cell), right) for cell, right in RIGHT.items()]
    with open_store(url, upgrade=True) as opened:
        record_sweep(opened, name="cor", space_text="", jobs=[MODEL, EVALUATE, *(job for job, _ in jobs)])
        for job in (MODEL, EVALUATE):
            record_result(opened, job, result_of(job), attempt_id=None)
        for job, right in jobs:
            outcome = FlagsOutcome.pack(np.arange(16) < right)
            record_result(opened, job, Result(key=job.key, seconds=1, environment=ENVIRONMENT, outcome=outcome), attempt_id=None)
        yield opened


def test_each_corruption_and_severity_is_a_row_with_its_interval(store: Store):
    rows = corruption_rows(store, "cor")
    assert {(row.corruption, row.severity): row.accuracy * 16 for row in rows} == RIGHT
    assert all(row.ci_low < row.accuracy < row.ci_high for row in rows)
    assert corruption_rows(store, None) == rows


def test_results_have_the_mean_over_corruptions_of_the_mean_over_severities(store: Store):
    (row,) = result_rows(store, "cor", per_repeat=False)
    assert row.corruption_accuracy == pytest.approx(((12 + 4) / 2 + 8) / 2 / 16)


def test_the_view_has_them(store: Store):
    rows = ask(store, "SELECT corruption, severity, accuracy, theta FROM v_corruptions ORDER BY corruption, severity").rows
    assert [tuple(row) for row in rows] == [("fog", 1, 0.75, 1.0), ("fog", 5, 0.25, 1.0), ("snow", 1, 0.5, 1.0)]


def test_tables_for_people_have_a_line_for_each_corruption_and_their_mean(store: Store):
    rows = corruption_rows(store, "cor")
    table = corruptions_table(rows)
    assert [row[1:] for row in table.rows] == [
        ("fog", 75.0, None, None, None, 25.0, 50.0),
        ("snow", 50.0, None, None, None, None, 50.0),
        ("mean", 62.5, None, None, None, 25.0, 50.0),
    ]
    assert [row[3:5] for row in corruptions_data(rows).rows] == [("fog", 1), ("fog", 5), ("snow", 1)]
    assert corruptions_table([]).rows == ()


def test_show_says_what_the_job_is_and_what_it_found(store: Store):
    found = job_details(store, corrupt_job("fog", 5).key)
    assert (found.stage, found.description) == ("corrupt", "fog of severity 5, repeat 0")
    assert found.result is not None
    assert found.result.values["accuracy"] == 0.25
