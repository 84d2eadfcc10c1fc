"""What a search asks, brings and tells, with jobs whose results follow from their specs."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import text as statement
from sqlalchemy import update

from orchestrator.driver.recorder import Recorder
from orchestrator.driver.scheduling.job_queue import JobQueue
from orchestrator.driver.sweep_run import SweepRun
from orchestrator.planning.expand import expand_space
from orchestrator.report.study.read_study import read_study
from orchestrator.search.open_search import open_search
from orchestrator.search.optuna_storage import study_storage
from orchestrator.store import SweepStatus, finished_keys, open_store, record_result, sweep_names, sweep_status
from orchestrator.store.leases.leases import LeaseLost
from orchestrator.store.maintenance.prune import RemovalRequest, prune
from orchestrator.store.schema.sweep_tables import SweepRecord
from orchestrator.store.writing.record import record_search
from orchestrator.tables.status_table import render_status
from search_spaces import parse_space
from tests.commands import robustsweep
from tests.orchestrator.search.synthetic import ROBUST, THETA, Laboratory, never, searched, space_text
from tests.stored import begin_driving, record_sweep
from workers.errors import UserError
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec


def trials(laboratory: Laboratory, name: str = "small") -> list[FrozenTrial]:
    """The study as anybody reads it who has nothing but Optuna."""
    storage = optuna.storages.RDBStorage(laboratory.url)
    found: list[FrozenTrial] = optuna.load_study(study_name=name, storage=storage).trials
    storage.engine.dispose()
    return found


def kinds(found: list[FrozenTrial]) -> Counter[str]:
    return Counter(trial.user_attrs.get("kind", "tried") for trial in found)


def test_a_search_tells_every_trial_what_its_jobs_came_to(laboratory: Laboratory) -> None:
    laboratory.launch(searched(space_text()))
    found = trials(laboratory)
    assert [trial.state for trial in found] == [TrialState.COMPLETE] * 6
    with open_store(laboratory.url, upgrade=False) as store:
        done = finished_keys(store)
    for trial in found:
        assert set(trial.user_attrs["job_keys"]) <= done
        spec = laboratory.models[trial.user_attrs["model_key"]]
        assert (spec.model.theta, spec.model.rank_fraction) == (trial.params["model.theta"], trial.params["model.rank_fraction"])
        assert trial.values == pytest.approx([laboratory.share(spec, attacked=attacked) for attacked in (False, True)], abs=0.5 / 40 + 1e-9)
    assert len(laboratory.ran) == len(set(laboratory.ran))


def test_a_finished_search_asks_for_nothing_and_more_trials_continue_it(laboratory: Laboratory) -> None:
    laboratory.launch(searched(space_text(n_trials=3)))
    with laboratory.open(searched(space_text(n_trials=3))) as (_, search, _sweep):
        assert search.nothing_to_do
    laboratory.launch(searched(space_text(n_trials=5)))
    assert len(trials(laboratory)) == 5


def test_a_search_that_stops_and_goes_on_suggests_what_it_would_have_suggested(laboratory: Laboratory, tmp_path: Path) -> None:
    laboratory.launch(searched(space_text(n_trials=14)))
    other = Laboratory(tmp_path / "other", f"sqlite:///{tmp_path / 'other.db'}")
    for n_trials in (4, 11, 14):
        other.launch(searched(space_text(n_trials=n_trials)))
    assert [trial.params for trial in trials(other)] == [trial.params for trial in trials(laboratory)]


def test_suggestions_that_were_tried_before_are_told_at_once_and_do_not_count(laboratory: Laboratory) -> None:
    laboratory.launch(searched(space_text(n_trials=5, model={"theta": THETA, "rank_fraction": 1.0})))
    found = trials(laboratory)
    assert len({trial.params["model.theta"] for trial in found}) == 5
    assert kinds(found)["tried"] == 5
    for trial in found:
        if trial.user_attrs.get("kind") == "duplicate":
            assert trial.values == found[trial.user_attrs["duplicate_of"]].values
    assert len(laboratory.ran) == len(set(laboratory.ran))


@pytest.mark.parametrize(
    ("theta", "values"), [(THETA, 5), pytest.param({"min": 0.2, "max": 1.0, "step": 0.06666666666666667}, 13, marks=pytest.mark.slow)]
)
def test_a_search_of_ranges_that_hold_nothing_new_ends(laboratory: Laboratory, theta: dict[str, float], values: int) -> None:
    space = searched(space_text(n_trials=50, model={"theta": theta, "rank_fraction": 1.0}))
    search = laboratory.launch(space)
    assert kinds(trials(laboratory))["tried"] == values
    assert "nothing new is left" in search.conclusion()
    before = len(trials(laboratory))
    with laboratory.open(space) as (_, again, _sweep):
        assert again.nothing_to_do
    assert len(trials(laboratory)) == before


def test_two_trials_under_way_with_the_same_values_share_their_jobs(laboratory: Laboratory) -> None:
    laboratory.launch(searched(space_text(n_trials=5, n_parallel=5, sampler="random", model={"theta": THETA, "rank_fraction": 1.0})))
    assert kinds(trials(laboratory))["tried"] == 5
    assert len(laboratory.ran) == len(set(laboratory.ran))
    assert all(trial.state == TrialState.COMPLETE for trial in trials(laboratory))


def test_a_trial_whose_job_fails_is_told_so_without_a_value_and_tried_again_by_the_next_launch(laboratory: Laboratory) -> None:
    laboratory.fails = lambda job: isinstance(job.spec, AttackSpec) and len(laboratory.models) == 1
    space = searched(space_text(n_trials=3, model={"theta": 1.0}))
    search = laboratory.launch(space)
    failed, *others = trials(laboratory)
    assert failed.state == TrialState.FAIL
    assert failed.values is None
    assert "attack job" in failed.user_attrs["reason"]
    assert [trial.state for trial in others] == [TrialState.COMPLETE] * 2
    assert "1 failed" in search.summary()
    laboratory.fails = never
    laboratory.launch(space)
    *_, retried = trials(laboratory)
    assert (retried.state, retried.params, retried.user_attrs["retry_of"]) == (TrialState.COMPLETE, failed.params, 0)
    assert len(trials(laboratory)) == 4
    with laboratory.open(space) as (_, again, _sweep):
        assert again.nothing_to_do


def test_a_trial_that_somebody_else_asked_for_meanwhile_is_done_too(laboratory: Laboratory) -> None:
    space = searched(space_text(n_trials=3))
    with laboratory.open(space) as (_, search, sweep):
        foreign = None
        while not sweep.drained:
            if (job := sweep.take()) is not None:
                laboratory.run(job, sweep)
            if foreign is None and len(laboratory.models) == 2:
                foreign = search.state.study.ask()
        assert not search.state.live
    found = trials(laboratory)
    assert foreign is not None
    assert [trial.state for trial in found] == [TrialState.COMPLETE] * len(found)
    assert found[foreign.number].user_attrs["job_keys"]
    assert kinds(found)["tried"] == len(found) == 4


def test_a_driver_that_was_succeeded_asks_and_tells_nothing_more(laboratory: Laboratory) -> None:
    space = searched(space_text(n_trials=3))
    with open_store(laboratory.url, upgrade=True) as store:
        record_search(store, name="small", space_text="", keys=[])
        lease = begin_driving(store, "small", "host", 1)
        recorder = Recorder(store, sweep="small", artifacts=laboratory.artifacts, lease=lease)
        with open_search(store, space, recorder=recorder, artifacts=laboratory.artifacts) as search:
            sweep = SweepRun(JobQueue([], max_failures=0), recorder, (), source=search)
            while not search.state.live or any(live.pending for live in search.state.live.values()):
                job = sweep.take()
                assert job is not None
                laboratory.run(job, sweep)
            begin_driving(store, "small", "another", 2)
            for _ in range(2):
                with pytest.raises(LeaseLost, match="another"):
                    sweep.take()
    assert [(trial.state, trial.values) for trial in trials(laboratory)] == [(TrialState.RUNNING, None)]
    laboratory.launch(space)
    assert [trial.state for trial in trials(laboratory)] == [TrialState.COMPLETE] * 3


def test_values_that_do_not_go_together_are_told_so_and_do_not_count(laboratory: Laboratory) -> None:
    text = space_text(n_trials=3, sampler="random").replace("train_examples: 64", "train_examples: {min: 64, max: 6000}")
    laboratory.launch(searched(text))
    found = trials(laboratory)
    illegal = [trial for trial in found if trial.user_attrs.get("kind") == "illegal"]
    assert illegal
    for trial in illegal:
        assert (trial.state, trial.values) == (TrialState.FAIL, None)
        assert "must be at most 1397, the size of digits's training split" in trial.user_attrs["reason"]
    assert kinds(found)["tried"] == 3


def test_a_value_that_is_not_finite_is_told_as_a_failure(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.search.objectives.interval_over_seeds", lambda *_: (float("nan"), 0.0, 0.0))
    laboratory.launch(searched(space_text(n_trials=2)))
    for trial in trials(laboratory):
        assert (trial.state, trial.values) == (TrialState.FAIL, None)
        assert trial.user_attrs["reason"].startswith("not finite: clean_accuracy")


def test_constraints_are_told_by_optunas_own_means(laboratory: Laboratory) -> None:
    laboratory.launch(searched(space_text(constraints=["clean_accuracy >= 0.8", "parameters <= 5000"])))
    for trial in trials(laboratory):
        assert trial.constraints == {"clean_accuracy >= 0.8": pytest.approx(0.8 - trial.values[0]), "parameters <= 5000": 1234 - 5000}


def test_conditional_parameters_are_there_only_where_they_apply(laboratory: Laboratory) -> None:
    text = space_text(n_trials=14, model={"theta": 1.0, "rank_fraction": {"min": 0.2, "max": 1.0, "when": {"model.tensorized": [True]}}})
    laboratory.launch(searched(text.replace("  width: 2\n", "  width: [2, 3]\n  tensorized: [true, false]\n")))
    found = trials(laboratory)
    assert {("model.rank_fraction" in trial.params) == trial.params["model.tensorized"] for trial in found} == {True}
    assert {trial.params["model.tensorized"] for trial in found} == {True, False}


@pytest.mark.parametrize(
    "sampler", ["tpe", "nsga2", *(pytest.param(name, marks=pytest.mark.slow) for name in ("nsga3", "gp", "qmc")), "random"]
)
def test_every_sampler_asks_and_tells(sampler: str, laboratory: Laboratory) -> None:
    laboratory.launch(searched(space_text(n_trials=13, sampler=sampler, n_parallel=2, constraints=["clean_accuracy >= 0.5"])))
    assert {trial.state for trial in trials(laboratory)} == {TrialState.COMPLETE}
    assert kinds(trials(laboratory))["tried"] == 13


def test_one_objective_is_enough(laboratory: Laboratory) -> None:
    search = laboratory.launch(searched(space_text(n_trials=12, objectives=["clean_accuracy"])))
    best = max(trial.values[0] for trial in trials(laboratory))
    assert f"best so far: clean_accuracy {best:.1%}" in search.summary()


def grid_of(points: list[float]) -> list[Job]:
    text = f"""
data: {{name: digits, train_examples: 64, validation_examples: 0}}
model: {{width: 2, theta: {points}, rank_fraction: 0.5}}
training: {{epochs: 2, batch_size: 32}}
evaluation: {{examples: 40, batch_size: 40, repeats: 2}}
attacks: [{{attack: pgd, epsilon: 8/255, steps: 2}}]
"""
    return expand_space(parse_space(text, label="grid", stem="grid"))


def test_results_of_a_grid_enter_the_study_once_and_are_not_computed_again(laboratory: Laboratory) -> None:
    points = [1.0, 0.9, 0.7, 0.5]  # the last is no value of the space
    jobs = grid_of(points)
    with open_store(laboratory.url, upgrade=True) as store:
        record_sweep(store, name="grid", space_text="", jobs=jobs)
        for job in jobs:
            record_result(store, job, laboratory.result(job), attempt_id=None)
    for _ in range(2):
        laboratory.launch(searched(space_text(n_trials=3)))
    found = trials(laboratory)
    warm = [trial for trial in found if trial.user_attrs.get("kind") == "warm_start"]
    assert sorted(trial.params["model.theta"] for trial in warm) == [0.7, 0.9, 1.0]
    assert {trial.params["model.rank_fraction"] for trial in warm} == {0.5}
    for trial in warm:
        spec = laboratory.models[trial.user_attrs["model_key"]]
        assert trial.values == pytest.approx([laboratory.share(spec, attacked=attacked) for attacked in (False, True)], abs=0.5 / 40 + 1e-9)
    assert kinds(found)["tried"] == 3
    assert not {job.key for job in jobs} & set(laboratory.ran)


def test_a_search_can_be_told_not_to_look_at_other_results(laboratory: Laboratory) -> None:
    laboratory.launch(searched(space_text(n_trials=2)))
    laboratory.launch(searched(space_text(n_trials=2, warm_start=False, seed=1), name="second"))
    assert kinds(trials(laboratory, "second")) == {"tried": 2}
    laboratory.launch(searched(space_text(n_trials=2, seed=1), name="third"))
    assert kinds(trials(laboratory, "third")) == {"warm_start": 4, "tried": 2}


def test_what_is_not_known_well_is_measured_again_up_to_the_cap(laboratory: Laboratory) -> None:
    model = {"theta": {"min": 0.6, "max": 0.8}}
    laboratory.launch(searched(space_text(n_trials=2, model=model, precision={"width": 0.001, "max_repeats": 4})))
    for trial in trials(laboratory):
        assert len(trial.user_attrs["job_keys"]) == 2 + 4 + 4
    rough: dict[str, Any] = {"precision": {"width": 0.9, "max_repeats": 4}, "seed": 1, "warm_start": False}
    laboratory.launch(searched(space_text(n_trials=2, model=model, **rough), name="rough"))
    for trial in trials(laboratory, "rough"):
        assert len(trial.user_attrs["job_keys"]) == 2 + 2 + 2


def test_what_is_not_random_is_not_measured_again(laboratory: Laboratory) -> None:
    space = searched(space_text(n_trials=1, model={"theta": 1.0}, precision={"width": 0.001, "max_repeats": 3}))
    laboratory.launch(space)
    (trial,) = trials(laboratory)
    assert len(trial.user_attrs["job_keys"]) == 1 + 1 + 3  # PGD starts at random, the net is not


def test_an_attack_search_varies_the_attack_on_one_model(laboratory: Laboratory) -> None:
    text = space_text(n_trials=6, sampler="random", model={"theta": 0.8, "rank_fraction": 1.0}, objectives=[{**ROBUST, "goal": "minimize"}])
    laboratory.launch(searched(text.replace("  steps: 2\n", "  steps: {min: 1, max: 50}\n")))
    found = trials(laboratory)
    assert len({trial.user_attrs["model_key"] for trial in found}) == 1
    trained = [key for key in laboratory.ran if key in laboratory.models]
    assert len(trained) == 2  # the net and the one that it comes from, once
    assert len({trial.params["attacks.0.steps"] for trial in found if "kind" not in trial.user_attrs}) == 6


def test_a_study_of_other_objectives_or_settings_is_refused(laboratory: Laboratory) -> None:
    laboratory.launch(searched(space_text(n_trials=2)))
    changed = {
        "its objectives were": space_text(objectives=["clean_accuracy"]),
        "a setting that is not searched has changed": space_text(model={"width": 4}),
    }
    for complaint, text in changed.items():
        with pytest.raises(UserError, match=complaint), laboratory.open(searched(text)):
            pass


@pytest.mark.slow
def test_an_export_says_that_it_has_no_studies_and_a_search_begins_with_its_results(laboratory: Laboratory, tmp_path: Path) -> None:
    text = space_text(n_trials=3)
    laboratory.launch(searched(text))
    with open_store(laboratory.url, upgrade=True) as store, store.writing() as connection:
        connection.execute(update(SweepRecord).values(space=text))
    other = Laboratory(tmp_path / "other", f"sqlite:///{tmp_path / 'other.db'}")
    exported = robustsweep("db", "export", "all", "--store", laboratory.url, cwd=tmp_path)
    assert exported.stderr == "not exported: the studies of searches, small; their trials' results are\n"
    imported = robustsweep("db", "import", "all", "--store", other.url, cwd=tmp_path)
    assert imported.stderr == "not in an export: the studies of searches, small; launched here, they begin with these results\n"
    other.launch(searched(text))
    begun = [trial for trial in trials(other) if trial.user_attrs.get("kind") == "warm_start"]
    by_params = sorted(((trial.params, trial.values) for trial in begun), key=str)
    assert by_params == sorted(((trial.params, trial.values) for trial in trials(laboratory)), key=str)
    assert not set(laboratory.ran) & set(other.ran)


def test_a_search_goes_on_however_its_epsilons_are_written(laboratory: Laboratory) -> None:
    text = space_text(n_trials=2)
    laboratory.launch(searched(text))
    for spelling in ("16/510", "0.03137254901960784"):
        with laboratory.open(searched(text.replace("8/255", spelling))):
            pass
    with pytest.raises(UserError, match="its objectives were"), laboratory.open(searched(text.replace("8/255", "4/255"))):
        pass


def test_choices_that_change_are_refused(laboratory: Laboratory) -> None:
    laboratory.launch(searched(space_text(n_trials=2, model={"width": [2, 3]})))
    with pytest.raises(UserError, match=r"model\.width was"), laboratory.open(searched(space_text(model={"width": [2, 4]}))):
        pass


def test_a_timeout_ends_the_asking_and_not_what_is_under_way(laboratory: Laboratory) -> None:
    search = laboratory.launch(searched(space_text(n_trials=5, timeout=1e-9)))
    assert trials(laboratory) == []
    assert "stopped asking" in search.conclusion()


def test_jobs_of_a_search_belong_to_its_sweep(laboratory: Laboratory) -> None:
    laboratory.launch(searched(space_text(n_trials=2)))
    with open_store(laboratory.url, upgrade=False) as store:
        (status,) = sweep_status(store, "small")
    assert sum(counts.done for counts in status.stages.values()) == len(laboratory.ran)
    assert all(counts.total == counts.done for counts in status.stages.values())


def test_a_trial_that_no_driver_runs_is_interrupted_not_running(laboratory: Laboratory) -> None:
    with laboratory.open(searched(space_text(n_trials=3, n_parallel=1))) as (store, search, sweep):
        assert sweep.take() is not None
        (status,) = sweep_status(store, "small")
        assert "(1 running)" in _title(status)
        assert search.summary() == "0 of 3 trials, 1 running"
        assert search.conclusion() == "0 of 3 trials, 1 interrupted"
    with open_store(laboratory.url, upgrade=False) as store:
        (status,) = sweep_status(store, "small")
        study = read_study(store, "small")
    assert "1 of 3 trials begun (1 interrupted)" in _title(status)
    assert status.trials is not None
    assert (status.trials.left, status.is_finished) == (3, False)
    assert study is not None
    assert [trial.state for trial in study.trials] == ["interrupted"]


def _title(status: SweepStatus) -> str:
    return str(render_status([status], "markdown"))


def test_a_search_that_was_pruned_begins_anew(laboratory: Laboratory) -> None:
    space = searched(space_text(n_trials=3))
    laboratory.launch(space)
    first = [trial.params for trial in trials(laboratory)]
    with open_store(laboratory.url, upgrade=True) as store:
        wanted = RemovalRequest(sweeps=["small"])
        listed = {found.kind: found.number for found in prune(store, laboratory.artifacts, wanted, really=False)}
        assert (listed["trials of searches"], len(trials(laboratory))) == (3, 3)
        prune(store, laboratory.artifacts, wanted, really=True)
        assert sweep_names(store) == []
        assert prune(store, laboratory.artifacts, RemovalRequest(orphans=True), really=False) == []
    laboratory.ran.clear()
    laboratory.launch(space)
    assert ([trial.params for trial in trials(laboratory)], bool(laboratory.ran)) == (first, True)


def test_studies_of_no_sweep_are_orphans(laboratory: Laboratory) -> None:
    laboratory.launch(searched(space_text(n_trials=2)))
    with open_store(laboratory.url, upgrade=True) as store:
        with store.writing() as connection:
            connection.execute(update(SweepRecord).values(name="renamed"))
        prune(store, laboratory.artifacts, RemovalRequest(orphans=True), really=True)
        assert read_study(store, "small") is None


def test_a_grid_under_a_searchs_name_is_shown_as_a_grid_until_the_search_is_launched_again(laboratory: Laboratory) -> None:
    space = searched(space_text(n_trials=2))
    laboratory.launch(space)
    for written, is_search in (("data: {name: digits}", False), (space_text(n_trials=2), True), ("data: {}\n# --set method=optuna", True)):
        with open_store(laboratory.url, upgrade=True) as store:
            record_sweep(store, name="small", space_text=written, jobs=[])
            (status,) = sweep_status(store, "small")
            assert (status.trials is not None, read_study(store, "small") is not None) == (is_search, is_search)


def test_searches_that_make_their_tables_at_once_all_open_them(laboratory: Laboratory) -> None:
    together = Barrier(4)

    def opened(_: int) -> bool:
        with open_store(laboratory.url, upgrade=True) as store:
            together.wait()
            with study_storage(store):
                return True

    open_store(laboratory.url, upgrade=True).close()
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(opened, range(4)))


def test_tables_of_another_optuna_are_one_line(laboratory: Laboratory) -> None:
    space = searched(space_text(n_trials=1))
    laboratory.launch(space)
    with open_store(laboratory.url, upgrade=True) as store:
        with store.writing() as connection:
            connection.execute(statement("UPDATE alembic_version SET version_num = 'foreign'"))
        with pytest.raises(UserError, match=r"searches' tables in the database: .*no longer compatible") as refused, study_storage(store):
            pass
        assert "\n" not in str(refused.value)
        with pytest.raises(UserError, match="searches' tables"):
            read_study(store, "small")
