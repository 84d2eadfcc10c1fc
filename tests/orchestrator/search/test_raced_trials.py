"""Trials that race against the best so far: pruned once that is surely better, measured to the end otherwise."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import yaml
from optuna.storages import RDBStorage

from orchestrator.planning.racing.raced_attacks import jobs_to_the_end
from orchestrator.search.raced_trial_plan import RacedTrialPlan
from orchestrator.search.trial_plan import Pruned
from orchestrator.store import open_store, result_rows
from search_spaces import SpaceError
from tests.builders import flags_result
from tests.orchestrator.search.synthetic import Laboratory, searched
from tests.orchestrator.search.test_kills import launch_killed
from workers.artifacts.outcomes import Result
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec, EvaluateSpec

EXAMPLES, SHARD = 120, 20
RATES: dict[str, Any] = {"min": 0.01, "max": 0.1, "step": 0.01}


def space_text(*, racing: object = None, goal: str = "maximize", attacks: dict[str, Any] | None = None, **search: Any) -> str:
    """A search of a learning rate, whose trials race unless `racing` is False."""
    objective = {"metric": "robust_accuracy", "attack": "pgd", "epsilon": "8/255", "goal": goal}
    data: dict[str, Any] = {
        "method": "optuna",
        "search": {"n_trials": 5, "n_parallel": 1, "sampler": "random", "seed": 1, "objectives": [objective], **search},
        "data": {"name": "digits", "train_examples": 64, "validation_examples": EXAMPLES},
        "model": {"width": 2, "tensorized": False},
        "training": {"epochs": 2, "batch_size": 32, "learning_rate": RATES},
        "evaluation": {"examples": EXAMPLES, "batch_size": 20, "repeats": 2},
        "attacks": [{"attack": "pgd", "epsilon": "8/255", "steps": 2}, {"attack": "fgsm", "epsilon": "8/255"}],
        "racing": {"shard": SHARD} if racing is None else racing,
    }
    if racing is False:
        del data["racing"]
    return yaml.safe_dump(data, sort_keys=False)


@dataclass
class Racetrack(Laboratory):
    """Ten times the learning rate of a model's examples are right, the same ones of any two models that are equally good."""

    def result(self, job: Job) -> Result:
        if not isinstance(job.spec, EvaluateSpec | AttackSpec):
            return super().result(job)
        evaluation = job.spec.evaluation
        first = evaluation.shard.first if evaluation.shard else 0
        luck = np.random.default_rng(0).random(EXAMPLES)[first : first + (evaluation.examples or EXAMPLES)]
        return flags_result(job, luck < 10 * self.models[job.parents["model"]].training.learning_rate)


def new_track(folder: Path) -> Racetrack:
    return Racetrack(folder, f"sqlite:///{folder / 'store.db'}")


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Racetrack:
    """One on which the search has been run."""
    made = new_track(tmp_path_factory.mktemp("raced"))
    made.launch(searched(space_text()))
    return made


def told(track: Racetrack) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="small", storage=RDBStorage(track.url)).trials


def test_what_is_surely_not_the_best_ends_early_and_the_winner_is_that_of_a_whole_search(track: Racetrack, tmp_path: Path) -> None:
    whole = new_track(tmp_path)
    whole.launch(searched(space_text(racing=False)))
    best, pruned = max(trial.values[0] for trial in told(track) if trial.values), [trial for trial in told(track) if not trial.values]
    assert best == max(trial.values[0] for trial in told(whole))
    assert pruned
    reasons = [trial.user_attrs["reason"] for trial in pruned]
    assert all(
        re.match(rf"(as trial \d+: )?surely not better than trial \d+: by \d+ of {EXAMPLES} examples$", reason) for reason in reasons
    )
    for trial in pruned:
        assert trial.params["training.learning_rate"] < max(other.params["training.learning_rate"] for other in told(track))


def test_a_trial_that_ends_early_is_in_the_results_with_what_was_seen_and_the_winner_whole_on_test(track: Racetrack) -> None:
    with open_store(track.url, upgrade=False) as store:
        rows = result_rows(store, "small", per_repeat=False)
    finished = {trial.user_attrs["model_key"] for trial in told(track) if trial.values}
    assert {row.model_key for row in rows if row.attack == "pgd"} == finished
    measured = Counter((row.split, row.attack, row.n_examples) for row in rows)
    assert measured["test", "pgd", EXAMPLES] == measured["test", "fgsm", EXAMPLES] == 1


def test_an_attack_search_races_for_the_smallest_accuracy(tmp_path: Path) -> None:
    track = new_track(tmp_path)
    track.launch(searched(space_text(goal="minimize")))
    left = [trial.params["training.learning_rate"] for trial in told(track) if not trial.values]
    assert left
    assert min(left) > min(trial.params["training.learning_rate"] for trial in told(track))


def test_a_driver_that_is_killed_at_its_every_eleventh_write_prunes_the_same_trials(
    track: Racetrack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = new_track(tmp_path)
    assert launch_killed(again, space_text(), 11, monkeypatch) > 3
    assert [(trial.params, trial.values) for trial in told(again)] == [(trial.params, trial.values) for trial in told(track)]
    assert len(set(again.ran)) == len(again.ran)
    assert set(again.ran) == set(track.ran)


def test_a_trial_is_not_pruned_by_one_that_is_as_good(track: Racetrack) -> None:
    space = searched(space_text())
    finished = next(trial for trial in told(track) if trial.values)
    grid = space.at({"training.learning_rate": finished.params["training.learning_rate"]})
    with open_store(track.url, upgrade=False) as store:
        plan = RacedTrialPlan(space, grid, store, best=lambda: (finished.number, grid))
        steps = [plan.advance() for _ in range(EXAMPLES // SHARD + 1)]
        assert not any(isinstance(step, Pruned) for step in steps)
        assert {job.key for step in steps if isinstance(step, list) for job in step} == {job.key for job in jobs_to_the_end(grid)}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"racing": {"shard": SHARD, "precision": 1.0}}, "precision: not with method optuna, whose trials race for the best; leave it out"),
        ({"objectives": ["clean_accuracy"]}, "needs one objective in search.objectives, robust_accuracy, to race by"),
        ({"rungs": [{"epochs": 0.5}]}, "not with search.rungs, which decides in another way"),
        ({"racing": {"shard": 30}}, "must be multiples of evaluation.batch_size, which is 20"),
        ({"racing": {"shards": 20}}, "shards"),
    ],
)
def test_what_does_not_go_with_a_race_is_named_with_its_line(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SpaceError, match=r"small:\d+: racing") as found:
        searched(space_text(**changes))
    assert complaint in str(found.value)
