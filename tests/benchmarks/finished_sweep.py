"""A finished sweep of 11,088 jobs with its artifacts, as a launch leaves it: what commands read when nothing is left to do."""

import os
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert, update

from orchestrator.paths import Paths
from orchestrator.planning.expand import expand_space
from orchestrator.store import open_store
from orchestrator.store.schema.base import Base
from orchestrator.store.schema.result_tables import EnvironmentRecord
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobRecord
from orchestrator.store.writing.record import make_sweep, set_sweep
from orchestrator.store.writing.rows import environment_row, outcome_row
from orchestrator.store.writing.verdict_table import refresh_verdict, refresh_worst_cases
from search_spaces import load_space
from tests.builders import ENVIRONMENT, flags_result, result_of
from workers.artifacts.outcomes import Result
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec, EvaluateSpec, TrainSpec

SPACE = """\
method: grid
seed: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
data: {name: digits}
model: {name: resnet18, width: 4, theta: [1.0, 0.95, 0.9, 0.8], rank_fraction: [0.5, 1.0]}
training: {recipe: custom, epochs: 2, batch_size: 64}
evaluation: {examples: 100, batch_size: 25, draws: 4, repeats: 5}
attacks:
  - {attack: [fgsm, bim, pgd, mi_fgsm, noise], epsilon: [1/255, 2/255, 4/255, 8/255, 16/255], knowledge: randomized}
"""


def fill(home: Path) -> tuple[Path, int]:
    """Make the home of the finished sweep; return its space file, and the number of its jobs."""
    space = home / "finished.yaml"
    home.mkdir(parents=True, exist_ok=True)
    space.write_text(SPACE)
    paths, loaded = Paths.resolve(home=home, store=None), load_space(str(space), ())
    jobs = expand_space(loaded.space)
    generator = np.random.default_rng(0)
    results = {job.key: _result(job, generator) for job in jobs}
    with open_store(paths.store_url, upgrade=True) as store, store.writing() as connection:
        make_sweep(connection, loaded.name, loaded.recorded_text)
        set_sweep(connection, name=loaded.name, space_text=loaded.recorded_text, jobs=jobs)
        environment, at = environment_row(ENVIRONMENT), datetime(2026, 1, 1, tzinfo=UTC)
        connection.execute(insert(EnvironmentRecord), [environment])
        rows: defaultdict[type[Base], list[dict[str, Any]]] = defaultdict(list)
        for job in jobs:
            record, row = outcome_row(job, results[job.key], environment_id=environment["id"], finished_at=at)
            rows[record].append(row)
        ran = {"number": 1, "sweep_id": 1, "started_at": at, "finished_at": at, "outcome": "done"}
        rows[AttemptRecord] = [{"job_key": job.key, **ran} for job in jobs]
        for record, those in rows.items():
            connection.execute(insert(record), those)
        connection.execute(update(JobRecord).values(state="done"))
        for job in jobs:
            if isinstance(job.spec, TrainSpec):
                refresh_worst_cases(connection, job.key)
                refresh_verdict(connection, job.key)
    _leave_artifacts(paths, jobs, results)
    return space, len(jobs)


def _result(job: Job, generator: np.random.Generator) -> Result:
    if not isinstance(job.spec, EvaluateSpec | AttackSpec):
        return result_of(job)
    evaluation = job.spec.evaluation
    return flags_result(job, generator.random((evaluation.draws, evaluation.examples or 0)) < 0.5)


def _leave_artifacts(paths: Paths, jobs: list[Job], results: dict[str, Result]) -> None:
    flush, os.fsync = os.fsync, lambda _: None  # 20,000 files, none of which matters after a crash
    try:
        for job in jobs:
            folder = paths.artifacts.folder(job.key, attempt="filled")
            folder.begin(job)
            folder.commit(results[job.key])
    finally:
        os.fsync = flush
