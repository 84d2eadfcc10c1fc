"""Models that others are fine-tuned from are measured too: no epoch more is trained, and they do not count."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from orchestrator.planning.expand import deduplicate, grid_jobs
from orchestrator.search.warm_start import baseline_of
from orchestrator.store import open_store
from orchestrator.store.reading.study_trials import study_counts
from tests.orchestrator.search.synthetic import THETA, Laboratory, never, searched, space_text
from tests.orchestrator.search.test_kills import launch_killed
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec, TrainSpec

RANK = {"min": 0.4, "max": 1.0, "step": 0.2}
SPACE = space_text(n_trials=6, parents=True, sampler="random", model={"theta": THETA, "rank_fraction": RANK})


def trials(laboratory: Laboratory) -> list[FrozenTrial]:
    storage = optuna.storages.RDBStorage(laboratory.url)
    found: list[FrozenTrial] = optuna.load_study(study_name="small", storage=storage).trials
    storage.engine.dispose()
    return found


def of_kind(found: list[FrozenTrial], kind: str | None) -> list[FrozenTrial]:
    return [trial for trial in found if trial.user_attrs.get("kind") == kind]


def ranks(found: list[FrozenTrial]) -> set[float]:
    return {trial.params["model.rank_fraction"] for trial in found}


def test_every_model_that_was_fine_tuned_has_its_parent_measured_for_no_epoch_more(laboratory: Laboratory) -> None:
    search = laboratory.launch(searched(SPACE))
    found = trials(laboratory)
    tried, parents = of_kind(found, None), of_kind(found, "parent")
    assert len(tried) == 6
    assert search.conclusion().startswith("6 of 6 trials;")
    assert ranks(parents) | ranks([trial for trial in tried if trial.params["model.theta"] == 1]) == ranks(tried)
    assert {trial.params["model.theta"] for trial in parents} == {1.0}
    assert all(trial.state == TrialState.COMPLETE for trial in found)
    trained = {key for trial in tried for key in trial.user_attrs["job_keys"] if key in laboratory.models}
    assert trained == set(laboratory.models)
    assert len(laboratory.ran) == len(set(laboratory.ran))
    with open_store(laboratory.url, upgrade=False) as store, store.reading() as connection:
        assert study_counts(connection)["small"].begun == 6
    with laboratory.open(searched(SPACE)) as (_, again, _sweep):
        assert again.nothing_to_do


@pytest.mark.parametrize("nth", [5, pytest.param(8, marks=pytest.mark.slow)])
def test_killed_between_any_two_writes_no_parent_comes_twice(nth: int, laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    assert launch_killed(laboratory, SPACE, nth, monkeypatch) > 5
    found = trials(laboratory)
    assert {trial.state for trial in found} == {TrialState.COMPLETE}
    assert len(of_kind(found, None)) == 6
    parents = of_kind(found, "parent")
    assert len({trial.user_attrs["identity"] for trial in parents}) == len(parents) == len(ranks(parents)) > 0
    assert len(laboratory.ran) == len(set(laboratory.ran))


def test_a_parent_that_could_not_be_measured_is_tried_again_by_the_next_launch(laboratory: Laboratory) -> None:
    def of_a_parent(job: Job) -> bool:
        return isinstance(job.spec, AttackSpec) and laboratory.models[job.parents["model"]].model.theta == 1

    laboratory.fails = of_a_parent
    space = searched(
        space_text(n_trials=2, parents=True, sampler="random", model={"theta": {"values": [0.7, 0.8, 1.0]}, "rank_fraction": 0.5})
    )
    laboratory.launch(space)
    (failed,) = of_kind(trials(laboratory), "failed_parent")
    assert (failed.state, failed.params["model.theta"]) == (TrialState.FAIL, 1.0)
    laboratory.fails = never
    laboratory.launch(space)
    (parent,) = of_kind(trials(laboratory), "parent")
    assert (parent.state, parent.user_attrs["retry_of"]) == (TrialState.COMPLETE, failed.number)
    assert len(of_kind(trials(laboratory), None)) == 2


def test_on_rungs_a_parent_is_measured_whole_and_no_epoch_of_it_is_trained_twice(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path, f"sqlite:///{tmp_path / 'results.db'}")
    rungs: list[dict[str, Any]] = [{"epochs": 0.5, "examples": 10, "steps": 1}]
    model = {"theta": {"min": 0.6, "max": 1.0}, "rank_fraction": 0.5}
    laboratory.launch(searched(space_text(n_trials=4, parents=True, sampler="random", rungs=rungs, model=model)))
    (parent,) = of_kind(trials(laboratory), "parent")
    assert parent.state == TrialState.COMPLETE
    assert "rung 1" not in parent.user_attrs
    assert [spec.until for spec in laboratory.models.values() if spec.model.theta == 1] == [None]


@pytest.mark.parametrize(
    ("model", "values", "found"),
    [
        ({}, {"model.theta": 0.8, "model.rank_fraction": 0.5}, {"model.theta": 1.0, "model.rank_fraction": 0.5}),
        ({"rank_fraction": 0.5, "theta": {"values": [0.8, 1]}}, {"model.theta": 0.8}, {"model.theta": 1.0}),
        ({}, {"model.theta": 1.0, "model.rank_fraction": 0.5}, None),
        ({"theta": {"min": 0.6, "max": 0.9}}, {"model.theta": 0.8, "model.rank_fraction": 0.5}, None),
        ({"theta": 0.8}, {"model.rank_fraction": 0.5}, None),
        (
            {"rank_fraction": 0.5, "theta": [0.8, 1.0], "sketch_modes": {"values": ["channels", "all"], "when": {"model.theta": 0.8}}},
            {"model.theta": 0.8, "model.sketch_modes": "all"},
            None,
        ),
    ],
)
def test_a_parent_is_what_theta_one_makes_of_a_choice_where_the_space_has_that(
    model: dict[str, Any], values: dict[str, Any], found: dict[str, Any] | None
) -> None:
    space = searched(space_text(model=model))
    parent = baseline_of(space, values, deduplicate(grid_jobs(space.at(values))))
    assert (None if parent is None else parent.values) == found
    if found is not None:
        trained = [job for job in grid_jobs(space.at(found)) if isinstance(job.spec, TrainSpec)]
        assert {job.key for job in trained} <= {job.key for job in grid_jobs(space.at(values))}
