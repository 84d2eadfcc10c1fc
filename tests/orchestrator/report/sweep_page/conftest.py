from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from orchestrator.store import open_store, record_failure, record_result, start_attempt
from tests.builders import ENVIRONMENT, attack_job, attack_settings, evaluate_job, fine_tune_job, flags_result, pretrain_job, train_result
from tests.stored import record_sweep
from workers.artifacts.outcomes import Environment, Result
from workers.spec.job import Job

FillStore = Callable[..., str]
EPSILONS = (2, 8, 16)


def measured(model: Job, *, shift: int) -> list[tuple[Job, Result]]:
    """The model's evaluation and its attacks with their results: `shift` examples of 16 fewer are right for each epsilon."""
    clean = evaluate_job(model)
    found = [(clean, flags_result(clean, np.arange(16) < 15))]
    for place, size in enumerate(EPSILONS):
        attack = attack_job(model, attack=attack_settings(epsilon=size / 255, epsilon_literal=f"{size}/255"))
        found.append((attack, flags_result(attack, np.arange(16) < 14 - shift % 8 * (place + 1))))
    return found


@pytest.fixture
def fill_store(tmp_path: Path) -> FillStore:
    """Makes a database with two models of each of some ranks, attacked at three epsilons, and one job that failed; its URL."""

    def fill(
        *,
        sweep: str = "small",
        space: str = "model: {width: 4}",
        environment: Environment = ENVIRONMENT,
        error: str = "boom",
        ranks: Sequence[float] = (0.5, 1.0),
    ) -> str:
        url = f"sqlite:///{tmp_path / 'results.db'}"
        full = [pretrain_job(rank_fraction=rank) for rank in ranks]
        models = [*full, *(fine_tune_job(parent, theta=0.9) for parent in full)]
        results = [(model, train_result(model, environment=environment)) for model in models]
        results += [found for place, model in enumerate(models) for found in measured(model, shift=1 + place)]
        failing = pretrain_job(seed=99)
        with open_store(url, upgrade=True) as store:
            record_sweep(store, name=sweep, space_text=space, jobs=[*(job for job, _ in results), failing])
            for job, result in results:
                record_result(store, job, result.model_copy(update={"environment": environment}), attempt_id=None)
            attempt = start_attempt(store, sweep, failing.key)
            record_failure(store, failing.key, attempt_id=attempt, error=error, traceback=f"Traceback: {error}", final=True)
        return url

    return fill
