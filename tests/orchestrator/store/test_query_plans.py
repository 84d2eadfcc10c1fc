"""What `show` and `compare` ask of the database must not grow with what they do not show."""

from pathlib import Path
from typing import Any

from sqlalchemy import event

from orchestrator.store import Store, open_store
from orchestrator.store.reading.job_details import job_details
from orchestrator.store.reading.paired_results import compare_sweeps
from tests.builders import attack_job, craft_job, evaluate_job, fine_tune_job, pretrain_job, transfer_job
from tests.stored import launch


def scans(store: Store, statements: list[tuple[str, Any]]) -> list[str]:
    """The steps of SQLite's plans that read a whole table."""
    with store.reading() as connection:
        driver: Any = connection.connection.driver_connection
        plans = [row[3] for statement, values in statements for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    return [step for step in plans if "SCAN" in step]


def test_showing_a_job_and_comparing_sweeps_scans_no_table(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/results.db"
    full = pretrain_job()
    with open_store(url, upgrade=True) as store:
        for name, epochs in (("short", 1), ("long", 3)):
            model, crafted = fine_tune_job(full, epochs=epochs), craft_job(full)
            measured = [evaluate_job(model), attack_job(model), transfer_job(model, source=full, crafted=crafted)]
            launch(store, [full, model, crafted, *measured], name=name)
    asked: list[tuple[str, Any]] = []
    with open_store(url, upgrade=False) as store:
        event.listen(store.engine, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))
        job_details(store, full.key[:8])
        assert len(compare_sweeps(store, "short", "long").cells) == 3
        assert len(asked) > 15
        assert scans(store, list(asked)) == []
