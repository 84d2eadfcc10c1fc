from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.store import ResultRow, open_store, record_result, result_rows
from tests.builders import result_of, small_plan
from tests.orchestrator.changed_rows import changed
from tests.stored import record_sweep

MakeRow = Callable[..., ResultRow]


@pytest.fixture(scope="session")
def stored_row(tmp_path_factory: pytest.TempPathFactory) -> ResultRow:
    """A row of a real store: FGSM under `randomized` knowledge on a model of theta 0.8."""
    with open_store(f"sqlite:///{tmp_path_factory.mktemp('store') / 'results.db'}", upgrade=True) as store:
        jobs = small_plan(repeats=2)
        record_sweep(store, name="small", space_text="", jobs=jobs)
        for job in jobs:
            record_result(store, job, result_of(job), attempt_id=None)
        return next(row for row in result_rows(store, "small", per_repeat=False) if row.knowledge == "randomized")


@pytest.fixture
def make_row(stored_row: ResultRow) -> MakeRow:
    """Makes a row of model `key` in which `changes` are other than in the stored one; intervals are 5 points wide on each side."""

    def make(key: str, *, eighths: int = 8, clean: float = 0.9, robust: float = 0.5, **changes: Any) -> ResultRow:
        found = {"model_key": key, "epsilon": eighths / 255, "epsilon_literal": f"{eighths}/255"}
        clean_figures = {"clean_accuracy": clean, "clean_ci_low": clean - 0.05, "clean_ci_high": clean + 0.05}
        robust_figures = {"robust_accuracy": robust, "ci_low": robust - 0.05, "ci_high": robust + 0.05}
        return changed(stored_row, **found | clean_figures | robust_figures | changes)

    return make
