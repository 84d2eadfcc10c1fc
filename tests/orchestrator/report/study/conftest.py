"""A database with a search in it, as a launch leaves it: models with their results, and Optuna's study of the trials."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from orchestrator.store import open_store, record_result
from tests.builders import (
    THOROUGH,
    attack_job,
    attack_settings,
    diagnose_job,
    diagnosis_result,
    evaluate_job,
    flags_result,
    pretrain_job,
    train_result,
)
from tests.contracts.conftest import fresh_database, postgres_server
from tests.stored import record_sweep
from workers.spec.diagnosis import probes
from workers.spec.job import Job
from workers.spec.training import TrainingSpec

server = postgres_server
EXAMPLES = 100
NAMES = ("clean_accuracy", "worst_case_accuracy 8/255")


@dataclass(frozen=True)
class Try:
    """A trial: its model's rank, how many of 100 examples are right without and under attack, and what else is to be said of it."""

    rank: float
    clean: int = 0
    robust: int = 0
    state: TrialState = TrialState.COMPLETE
    kind: str = ""
    violation: float = -1.0
    is_sound: bool = True
    reason: str = ""


TRIES = (
    Try(0.9, clean=95, robust=40),
    Try(0.7, clean=90, robust=60),
    Try(0.6, clean=89, robust=50),  # beaten by the one before
    Try(0.8, clean=99, robust=70, is_sound=False),
    Try(0.3, clean=92, robust=80, violation=3.0),
    Try(0.2, clean=80, robust=65, kind="warm_start"),
    Try(0.7, clean=90, robust=60, kind="duplicate"),
    Try(0.1, state=TrialState.FAIL, reason="JobError: boom"),
)
FillSearch = Callable[..., str]
FillGrid = Callable[..., str]


@contextmanager
def storage(url: str) -> Iterator[optuna.storages.RDBStorage]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings(action="ignore"):
        found = optuna.storages.RDBStorage(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        yield found
    finally:
        found.remove_session()
        found.engine.dispose()


@pytest.fixture
def postgres(server: str) -> Iterator[str]:
    with fresh_database(server, "study") as url:
        yield url


@pytest.fixture
def fill_search(tmp_path: Path) -> FillSearch:
    """Makes a database with a sweep of these trials and their study (none if `names` is empty); its URL."""

    def fill(tries: Sequence[Try] = TRIES, *, sweep: str = "search", names: Sequence[str] = NAMES, url: str | None = None) -> str:
        url = url or f"sqlite:///{tmp_path / 'results.db'}"
        found = [(one, _results(one)) for one in tries]
        with open_store(url, upgrade=True) as store:
            results = {job.key: (job, result) for _, jobs in found for job, result in jobs}
            record_sweep(store, name=sweep, space_text="", jobs=[job for job, _ in results.values()])
            for job, result in results.values():
                record_result(store, job, result, attempt_id=None)
        if names:
            with storage(url) as opened:
                _study(opened, found, sweep=sweep, names=names)
        return url

    return fill


@pytest.fixture
def fill_grid(tmp_path: Path) -> FillGrid:
    """Makes a database with a grid of trained, evaluated and attacked models, better the higher their rate, epochs and seed; its URL.
    `robust` are the examples of 100 that the best leaves right at each epsilon."""

    def fill(
        *,
        learning_rates: Sequence[float] = (0.01, 0.1),
        epochs: Sequence[int] = (1,),
        seeds: Sequence[int] = (0,),
        robust: Mapping[str, int] = MappingProxyType({"8/255": 60}),
    ) -> str:
        found: list[tuple[Any, Any]] = []
        for rate, epoch, seed in product(learning_rates, epochs, seeds):
            loss = round(100 * (max(learning_rates, default=0) - rate)) * 3 + 5 * (max(epochs) - epoch) + 2 * (max(seeds) - seed)
            model = Job(spec=pretrain_job(seed=seed).spec.model_copy(update={"training": TrainingSpec(epochs=epoch, learning_rate=rate)}))
            clean = evaluate_job(model, examples=EXAMPLES)
            found += [(model, train_result(model)), (clean, flags_result(clean, np.arange(EXAMPLES) < 90 - loss))]
            for literal, right in robust.items():
                attack = attack_settings(epsilon=float(Fraction(literal)), epsilon_literal=literal)
                attacked = attack_job(model, attack=attack, examples=EXAMPLES)
                found.append((attacked, flags_result(attacked, np.arange(EXAMPLES) < right - loss)))
        url = f"sqlite:///{tmp_path / 'results.db'}"
        with open_store(url, upgrade=True) as store:
            record_sweep(store, name="grid", space_text="", jobs=[job for job, _ in found])
            for job, result in found:
                record_result(store, job, result, attempt_id=None)
        return url

    return fill


def _results(one: Try) -> list[tuple[Any, Any]]:
    model = pretrain_job(rank_fraction=one.rank)
    if one.state != TrialState.COMPLETE:
        return [(model, train_result(model))]
    clean, attack = evaluate_job(model, examples=EXAMPLES), attack_job(model, examples=EXAMPLES)
    looked = diagnose_job(model, **THOROUGH)
    made = probes(looked.spec.diagnosis, half_range=0.5, randomised=False)
    as_attacked = {probe.name: one.robust / EXAMPLES for probe in made if probe.attack.epsilon == attack.spec.attack.epsilon}
    diagnosis = diagnosis_result(looked, zero_gradients=0.0 if one.is_sound else 1.0, right=as_attacked)
    right = [(clean, one.clean), (attack, one.robust)]
    measured = [(job, flags_result(job, np.arange(EXAMPLES) < number)) for job, number in right]
    return [(model, train_result(model)), *measured, (looked, diagnosis)]


def _study(opened: optuna.storages.RDBStorage, found: Sequence[tuple[Try, Any]], *, sweep: str, names: Sequence[str]) -> None:
    study = optuna.create_study(storage=opened, study_name=sweep, directions=["maximize"] * len(names))
    distributions = {"model.rank_fraction": FloatDistribution(0.1, 1.0), "model.binary": CategoricalDistribution([True, False])}
    with warnings.catch_warnings(action="ignore"):
        study.set_metric_names(list(names))
        for one, jobs in found:
            attributes = {"kind": one.kind, "reason": one.reason, "model_key": jobs[0][0].key, "job_keys": [job.key for job, _ in jobs]}
            figures = {
                "clean_accuracy": one.clean,
                "worst_case_accuracy 8/255": one.robust,
                "robust_accuracy": one.robust,
                "parameters": 1234,
            }
            complete = one.state == TrialState.COMPLETE
            study.add_trial(
                optuna.trial.create_trial(
                    state=one.state,
                    params={"model.rank_fraction": one.rank, "model.binary": one.rank > 0.5},
                    distributions=distributions,
                    values=[figures[name] / (EXAMPLES if "accuracy" in name else 1) for name in names] if complete else None,
                    user_attrs={name: value for name, value in attributes.items() if value},
                    constraints={"parameters <= 1000": one.violation},
                )
            )


def without_trap() -> tuple[Try, ...]:
    """The trials with nothing wrong about any."""
    return tuple(replace(one, violation=-1.0, is_sound=True) for one in TRIES)
