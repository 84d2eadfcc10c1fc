"""What a search adds to its trials' jobs: asking, bringing and telling a trial, with a thousand finished ones in the study."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import create_trial

from orchestrator.search.samplers import distribution
from orchestrator.search.search import Search
from orchestrator.search.trial_index import IDENTITY, JOB_KEYS, MODEL_KEY
from search_spaces import Space
from tests.benchmarks.conftest import Record
from tests.contracts.conftest import fresh_database, postgres_server
from tests.orchestrator.search.synthetic import Laboratory, searched, space_text

pytestmark = pytest.mark.bench
TRIALS, MEASURED, ASKED_SECONDS = 1_000, 30, 0.05
server = postgres_server


@pytest.fixture(params=["sqlite", "postgresql"])
def laboratory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Laboratory]]:
    if request.param == "sqlite":
        yield "sqlite", Laboratory(tmp_path, f"sqlite:///{tmp_path / 'results.db'}")
        return
    with fresh_database(request.getfixturevalue("server"), "search") as url:
        yield "postgresql", Laboratory(tmp_path, url)


def fill(study: optuna.Study, space: Space) -> None:
    """A thousand finished trials with the attributes that ours have."""
    random = np.random.default_rng(0)
    distributions = {parameter.name: distribution(parameter) for parameter in space.parameters}
    for number in range(TRIALS):
        theta, rank = random.uniform(0.6, 1.0), random.uniform(0.2, 1.0)
        keys = [f"{number:032x}{job:032x}" for job in range(7)]
        study.add_trial(
            create_trial(
                params={"model.theta": theta, "model.rank_fraction": rank},
                distributions=distributions,
                values=[0.5 + theta / 2 - random.uniform(0, 0.1), 1.1 - theta - random.uniform(0, 0.1)],
                user_attrs={IDENTITY: f"{number:032x}", MODEL_KEY: keys[0], JOB_KEYS: keys},
                constraints={"clean_accuracy >= 0.6": float(random.uniform(-0.4, 0.1))},
            )
        )


class Watched:
    """A search whose time is taken whenever the running sweep calls it."""

    def __init__(self, search: Search) -> None:
        self._search, self.seconds = search, 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._search, name)
        return self._timed(found) if name in ("more", "succeeded", "failed") else found

    def _timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                self.seconds += time.perf_counter() - start

        return timed


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_trial_costs_little_against_its_jobs(sampler: str, laboratory: tuple[str, Laboratory], record: Record) -> None:
    back_end, place = laboratory
    constraints = ["clean_accuracy >= 0.6"]
    space = searched(space_text(n_trials=TRIALS + MEASURED, sampler=sampler, n_parallel=1, constraints=constraints, warm_start=False))
    with place.open(space) as (_, search, _sweep):
        fill(search.state.study, space)
    with place.open(space) as (_, search, sweep):
        sweep.source = watched = Watched(search)
        while not sweep.drained:
            if (job := sweep.take()) is not None:
                place.run(job, sweep)
    a_trial = watched.seconds / MEASURED
    name = f"search: a {sampler} trial at {TRIALS} finished ones, {back_end}"
    record(name, a_trial / ASKED_SECONDS, asked="<= 1", reference=f"{ASKED_SECONDS * 1000:.0f} ms ({a_trial * 1000:.1f} ms measured)")
