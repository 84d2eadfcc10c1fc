"""Successive halving over rungs: who goes on, who is promoted, what it costs, and what a kill changes (nothing)."""

from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState

from orchestrator.planning.expand import expand_space
from orchestrator.search.halving import best
from orchestrator.search.rung_jobs import proxy_jobs, rung_epochs, with_fewer_steps
from orchestrator.search.rung_table import PROMOTES, attribute, rung_result
from orchestrator.store import open_store
from orchestrator.store.reading.study_trials import study_counts
from search_spaces import Asked, Rung, parse_space
from tests.builders import attack_settings
from tests.orchestrator.search.rung_laboratory import EPOCHS, RungLaboratory, rung_search_text
from tests.orchestrator.search.synthetic import EXAMPLES, Laboratory, never, searched, space_text
from tests.orchestrator.search.test_kills import launch_killed, study
from tests.orchestrator.search.test_search import trials
from workers.errors import UserError
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec, EvaluateSpec, TrainSpec

GOALS = ("maximize", "maximize")


def at(folder: Path) -> RungLaboratory:
    return RungLaboratory(folder, f"sqlite:///{folder / 'results.db'}")


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> RungLaboratory:
    """A search that nothing disturbed."""
    ladder = at(tmp_path_factory.mktemp("quiet"))
    ladder.launch(searched(rung_search_text()))
    return ladder


def by_identity(found: list[FrozenTrial], rung: int) -> dict[str, list[FrozenTrial]]:
    on_it: dict[str, list[FrozenTrial]] = {}
    for trial in found:
        if attribute(rung) in trial.user_attrs:
            on_it.setdefault(trial.user_attrs["identity"], []).append(trial)
    return on_it


def went_on(of_one: list[FrozenTrial], rung: int) -> bool:
    return any(trial.user_attrs[attribute(rung)]["goes_on"] for trial in of_one)


def test_a_trial_goes_on_if_it_is_among_the_best_of_those_that_were_there_before_it(quiet: RungLaboratory) -> None:
    found = trials(quiet)
    for rung in range(2):
        name = attribute(rung)
        arrived = sorted((of_one[0] for of_one in by_identity(found, rung).values()), key=lambda trial: trial.user_attrs[name]["of"])
        for count, trial in enumerate(arrived, start=1):
            decided = trial.user_attrs[name]
            chosen = best([rung_result(other, rung) for other in arrived[:count]], goals=GOALS, factor=3)
            assert decided["of"] == count
            assert decided["goes_on"] == (rung_result(trial, rung) in chosen) or PROMOTES in trial.user_attrs
    assert {trial.state for trial in found} == {TrialState.COMPLETE, TrialState.PRUNED}


def test_in_the_end_everybody_among_the_best_of_a_rung_went_on(quiet: RungLaboratory) -> None:
    found = trials(quiet)
    assert len(by_identity(found, 0)) == 9
    for rung in range(2):
        groups = by_identity(found, rung)
        chosen = {result.number for result in best([rung_result(of_one[0], rung) for of_one in groups.values()], goals=GOALS, factor=3)}
        assert chosen
        assert all(went_on(of_one, rung) for of_one in groups.values() if of_one[0].number in chosen)
        # The others that did were among the best when they came.
        assert sum(went_on(of_one, rung) for of_one in groups.values()) < len(groups)


def test_a_pruned_trial_that_comes_to_be_among_the_best_is_promoted_and_none_of_its_jobs_run_again(quiet: RungLaboratory) -> None:
    found = trials(quiet)
    promoted = [trial for trial in found if PROMOTES in trial.user_attrs]
    assert promoted
    for trial in promoted:
        before = found[trial.user_attrs[PROMOTES]]
        assert (before.state, before.params) == (TrialState.PRUNED, trial.params)
        assert set(before.user_attrs["job_keys"]) <= set(trial.user_attrs["job_keys"])
    assert len(quiet.ran) == len(set(quiet.ran))
    assert len({trial.user_attrs[PROMOTES] for trial in promoted}) == len(promoted)


def test_no_epoch_is_trained_twice_and_few_are_trained_at_all(quiet: RungLaboratory) -> None:
    found = trials(quiet)
    reached = dict.fromkeys(by_identity(found, 0), 1)
    reached |= dict.fromkeys(by_identity(found, 1), 3)
    reached |= {trial.user_attrs["identity"]: EPOCHS for trial in found if trial.state == TrialState.COMPLETE}
    full = EPOCHS  # of the net without a sketch, which all trials share
    assert quiet.trained == full + sum(reached.values())
    assert quiet.trained < full + 9 * EPOCHS / 2
    assert [set(epochs) for epochs in quiet.epochs.values()].count({1}) == 9


def test_promotions_are_none_of_the_trials_that_were_asked_for(quiet: RungLaboratory) -> None:
    with open_store(quiet.url, upgrade=False) as store, store.reading() as connection:
        counts = study_counts(connection)["small"]
    assert (counts.n_trials, counts.begun, counts.left) == (9, 9, 0)
    assert sum(counts.states.values()) > 9


def test_models_that_went_all_the_way_are_those_of_a_grid(quiet: RungLaboratory) -> None:
    finished = [trial for trial in trials(quiet) if trial.state == TrialState.COMPLETE]
    for trial in finished:
        theta = str(trial.params["model.theta"])
        text = space_text(model={"theta": trial.params["model.theta"], "rank_fraction": 1.0}).replace("epochs: 2", f"epochs: {EPOCHS}")
        grid = parse_space(text[text.index("data:") :], label="grid", stem="grid")
        keys = {job.key for job in expand_space(grid)}
        assert keys <= set(trial.user_attrs["job_keys"]), theta
        assert trial.user_attrs["model_key"] in keys
        assert quiet.models[trial.user_attrs["model_key"]].until is None


def test_killed_between_any_two_writes_the_same_trials_survive(
    tmp_path: Path, quiet: RungLaboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    ladder = at(tmp_path)
    assert launch_killed(ladder, rung_search_text(), 13, monkeypatch) > 5
    assert study(ladder) == study(quiet)
    assert sorted(ladder.ran) == sorted(quiet.ran)
    assert ladder.epochs == quiet.epochs


def test_a_search_that_is_done_stays_so_and_more_trials_go_on_with_it(tmp_path: Path) -> None:
    ladder = at(tmp_path)
    ladder.launch(searched(rung_search_text(n_trials=4)))
    with ladder.open(searched(rung_search_text(n_trials=4))) as (_, search, _sweep):
        assert search.nothing_to_do
    held = {trial.number: trial.user_attrs for trial in trials(ladder)}
    with pytest.raises(UserError, match=r'were measured on its rungs: they were: {"epochs":1}, {"epochs":3}; they are: {"epochs":4}$'):
        ladder.launch(searched(rung_search_text(n_trials=6, rungs=[{"epochs": 4}])))
    ladder.launch(searched(rung_search_text(n_trials=6)))
    assert {number: trials(ladder)[number].user_attrs for number in held} == held
    assert len(by_identity(trials(ladder), 0)) == 6


def test_a_promoted_trial_whose_job_failed_is_tried_again_without_a_new_decision(tmp_path: Path) -> None:
    ladder = at(tmp_path)
    ladder.fails = lambda job: isinstance(job.spec, TrainSpec) and job.spec.until == 3
    ladder.launch(searched(rung_search_text(n_trials=4)))
    lost = [trial for trial in trials(ladder) if trial.state == TrialState.FAIL]
    assert lost
    ladder.fails = never
    ladder.launch(searched(rung_search_text(n_trials=4)))
    again = [trial for trial in trials(ladder) if "retry_of" in trial.user_attrs]
    assert {trial.user_attrs["retry_of"] for trial in again} <= {trial.number for trial in lost}
    assert all(trial.user_attrs[attribute(0)]["goes_on"] and attribute(1) in trial.user_attrs for trial in again)
    assert len(ladder.ran) == len(set(ladder.ran))


def test_one_objective_is_reported_to_optuna_and_too_many_parameters_come_last(tmp_path: Path) -> None:
    ladder = at(tmp_path)
    ladder.launch(searched(rung_search_text(n_trials=3, objectives=["clean_accuracy"], constraints=["parameters <= 1000"])))
    first, *_ = trials(ladder)
    assert first.user_attrs[attribute(0)]["violation"] == pytest.approx(0.234)  # builders' models have 1,234 parameters
    assert first.intermediate_values == {1: first.user_attrs[attribute(0)]["values"][0]}


def jobs_on(rung: dict[str, Any], *, attacks: list[dict[str, Any]], theta: float = 0.8, **search: Any) -> list[Job]:
    """What a trial of the space, which has these attacks too, does on a rung."""
    groups = "".join(f"- {attack}\n" for attack in attacks)
    model = {"theta": {"values": [0.8, 1.0]}}
    space = searched(rung_search_text(model=model, **search).replace("attacks:\n", f"attacks:\n{groups}"))
    return proxy_jobs(space, space.at({"model.theta": theta}), Rung(**rung))


def test_a_rung_measures_only_what_its_objectives_need_and_cheaply() -> None:
    others = [{"attack": "fgsm", "epsilon": "8/255"}, {"attack": "pgd", "epsilon": "16/255", "steps": 2}]
    jobs = jobs_on({"epochs": 0.3, "examples": 10, "steps": 1}, attacks=others)
    trained = [job.spec for job in jobs if isinstance(job.spec, TrainSpec)]
    assert [(spec.stage, spec.until) for spec in trained] == [("pretrain", None), ("fine_tune", 3)]
    attacks = [job.spec for job in jobs if isinstance(job.spec, AttackSpec)]
    assert {(spec.attack.name, spec.attack.epsilon_literal, spec.attack.steps, spec.evaluation.examples) for spec in attacks} == {
        ("pgd", "8/255", 1, 10)
    }
    assert {spec.attack.settings.abs_stepsize for spec in attacks} == {2 * (1 / 255)}
    assert len(attacks) == len([job for job in jobs if isinstance(job.spec, EvaluateSpec)]) == 2
    assert {job.parents["model"] for job in jobs if isinstance(job.spec, EvaluateSpec | AttackSpec)} == {jobs[1].key}


def test_without_epochs_a_rung_trains_to_the_end_and_asks_for_no_more_examples_than_the_space() -> None:
    jobs = jobs_on({"examples": 10_000}, attacks=[])
    assert [job.spec.until for job in jobs if isinstance(job.spec, TrainSpec)] == [None, None]
    assert {job.spec.evaluation.examples for job in jobs if isinstance(job.spec, EvaluateSpec | AttackSpec)} == {EXAMPLES}


def test_a_model_is_not_attacked_by_examples_that_its_own_whole_training_would_make() -> None:
    transfer = {"attack": "pgd", "epsilon": "4/255", "steps": 2, "knowledge": "transfer"}
    worst = {"metric": "worst_case_accuracy", "epsilon": "4/255"}
    stages = {}
    for theta in (0.8, 1.0):
        jobs = jobs_on({"epochs": 1}, attacks=[transfer], theta=theta, objectives=["clean_accuracy", worst])
        stages[theta] = [(job.stage, getattr(job.spec, "until", None)) for job in jobs]
    assert ("craft", None) in stages[0.8]
    assert [stage for stage in stages[1.0] if stage[0] != "evaluate"] == [("pretrain", 1)]


@pytest.mark.parametrize(("asked", "epochs"), [(3, 3), (30, 9), (0.3, 3), (0.01, 1), (0.99, 9), (1 / 3, 3)])
def test_a_share_of_the_epochs_is_rounded_up_and_a_number_is_at_most_all(asked: float, epochs: int) -> None:
    assert rung_epochs(asked, 9) == epochs


def test_an_attack_of_fewer_steps_comes_as_far_and_one_that_has_none_stays() -> None:
    pgd, fgsm = (Asked(attack_settings(name=name, steps=steps), "randomized", None) for name, steps in (("pgd", 10), ("fgsm", 1)))
    cheap = with_fewer_steps(pgd, 2).attack
    assert (cheap.steps, cheap.steps * cheap.settings.abs_stepsize) == (2, pytest.approx(10 * pgd.attack.settings.abs_stepsize))
    assert with_fewer_steps(pgd, 10) == with_fewer_steps(pgd, None) == pgd
    assert with_fewer_steps(fgsm, 1) == fgsm
    square = Asked(attack_settings(name="square", steps=100), "randomized", None)
    assert with_fewer_steps(square, 20).attack == square.attack.with_settings(steps=20)


def test_a_search_without_rungs_is_as_it_was(laboratory: Laboratory) -> None:
    laboratory.launch(searched(space_text(n_trials=2)))
    assert not any(name.startswith("rung") for trial in trials(laboratory) for name in trial.user_attrs)
    assert {trial.state for trial in trials(laboratory)} == {TrialState.COMPLETE}
