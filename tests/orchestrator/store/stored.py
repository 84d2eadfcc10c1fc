"""A result row as the store returns it, for tests that vary its fields whatever they are."""

import tempfile
from functools import cache
from pathlib import Path

from orchestrator.store import ResultRow, open_store, record_result, result_rows
from tests.builders import result_of, small_plan
from tests.stored import record_sweep


@cache
def stored_row() -> ResultRow:
    with tempfile.TemporaryDirectory() as folder, open_store(f"sqlite:///{Path(folder) / 'results.db'}", upgrade=True) as store:
        jobs = small_plan(repeats=2)
        record_sweep(store, name="small", space_text="", jobs=jobs)
        for job in jobs:
            record_result(store, job, result_of(job), attempt_id=None)
        return result_rows(store, "small", per_repeat=False)[0]
