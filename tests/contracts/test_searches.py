"""A search on every kind of store: Optuna's tables next to ours, and read by Optuna alone."""

from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import inspect

from orchestrator.store import open_store
from orchestrator.store.connection.session import schema_revision
from orchestrator.store.connection.urls import parse_url
from tests.orchestrator.search.synthetic import Laboratory, searched, space_text


@pytest.fixture
def laboratory(url: str, tmp_path: Path) -> Laboratory:
    return Laboratory(tmp_path, url)


def test_a_study_lies_in_the_results_store_and_optuna_alone_reads_it(laboratory: Laboratory) -> None:
    laboratory.launch(searched(space_text(n_trials=2)))
    laboratory.launch(searched(space_text(n_trials=4, constraints=["clean_accuracy >= 0.5"], n_parallel=2)))
    storage = RDBStorage(parse_url(laboratory.url).render_as_string(hide_password=False))
    study = optuna.load_study(study_name="small", storage=storage)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 4
    assert study.metric_names == ["clean_accuracy", "robust_accuracy pgd 8/255"]
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MAXIMIZE"]
    assert study.best_trials
    storage.engine.dispose()


def test_our_schema_and_optunas_do_not_meet(laboratory: Laboratory) -> None:
    laboratory.launch(searched(space_text(n_trials=1)))
    with open_store(laboratory.url, upgrade=True) as store:
        tables = inspect(store.engine).get_table_names()
    assert {"trials", "studies", "alembic_version", "sweeps", "jobs"} <= set(tables)
    assert schema_revision(laboratory.url) is not None


def test_a_search_prints_nothing_of_optunas(laboratory: Laboratory, capfd: pytest.CaptureFixture[str]) -> None:
    laboratory.launch(searched(space_text(n_trials=1)))
    said = capfd.readouterr()
    assert said.out == said.err == ""
