"""A driver that is killed between any two of its writes: the next launch goes on as if nothing had been."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from tests.orchestrator.search.synthetic import THETA, Laboratory, searched, space_text

_WRITES = ("_create_new_trial", "_set_trial_param", "set_trial_user_attr", "set_trial_system_attr", "set_trial_state_values")
RANK = {"min": 0.4, "max": 1.0, "step": 0.6}
# Coarse steps: some suggestions repeat earlier ones.
SPACE = space_text(
    n_trials=5, sampler="random", seed=2, model={"theta": THETA, "rank_fraction": RANK}, constraints=["clean_accuracy >= 0.7"]
)


class KilledError(BaseException):
    """The driver is gone."""


class Killer:
    """Kills the driver at its every `nth` write to the study: before it or, the next time, after it."""

    def __init__(self, nth: int, patch: pytest.MonkeyPatch) -> None:
        self.count, self.nth, self.kills = 0, nth, 0
        for name in _WRITES:
            patch.setattr(RDBStorage, name, self._deadly(getattr(RDBStorage, name)))

    def _deadly(self, write: Any) -> Any:
        def deadly(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            if self.count % self.nth:
                return write(*arguments, **named)
            self.kills += 1
            if self.kills % 2:
                write(*arguments, **named)
            raise KilledError

        return deadly


def launch_killed(laboratory: Laboratory, text: str, nth: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Launch the space, again after each kill, until it comes to its end; how often it was killed."""
    with monkeypatch.context() as patch:
        killer = Killer(nth, patch)
        while True:
            try:
                laboratory.launch(searched(text))
            except KilledError:
                continue
            return killer.kills


def study(laboratory: Laboratory) -> list[dict[str, Any]]:
    storage = RDBStorage(laboratory.url)
    found = optuna.load_study(study_name="small", storage=storage).trials
    storage.engine.dispose()
    names = ("state", "params", "values", "constraints", "user_attrs")
    return [{name: getattr(trial, name) for name in names} for trial in found]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    folder = tmp_path_factory.mktemp("undisturbed")
    laboratory = Laboratory(folder, f"sqlite:///{folder / 'results.db'}")
    laboratory.launch(searched(SPACE))
    return laboratory


@pytest.mark.parametrize("nth", [7])
def test_every_trial_ends_is_told_once_and_no_job_is_run_twice(
    nth: int, laboratory: Laboratory, undisturbed: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert launch_killed(laboratory, SPACE, nth, monkeypatch) > 5
    found = study(laboratory)
    assert {trial["state"] for trial in found} == {TrialState.COMPLETE}
    assert [trial["user_attrs"].get("kind") for trial in found].count(None) == 5
    assert {trial["user_attrs"].get("kind") for trial in found} <= {None, "duplicate"}
    assert len(laboratory.ran) == len(set(laboratory.ran))
    assert set(laboratory.ran) == {key for trial in found for key in trial["user_attrs"]["job_keys"]}
    # What was not killed amid its suggestions is what a quiet run has: the first trial is.
    assert found[0] == study(undisturbed)[0]


def test_a_database_that_fails_for_a_moment_stops_nothing(
    laboratory: Laboratory, undisturbed: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from optuna.exceptions import StorageInternalError

    writes = {"count": 0}
    whole = RDBStorage.set_trial_user_attr

    def flaky(*arguments: Any, **named: Any) -> None:
        writes["count"] += 1
        if writes["count"] % 9 == 0:
            raise StorageInternalError("the server is gone")
        whole(*arguments, **named)

    monkeypatch.setattr(RDBStorage, "set_trial_user_attr", flaky)
    monkeypatch.setattr("orchestrator.search.optuna_storage._RETRY_SECONDS", 0.0)
    laboratory.launch(searched(SPACE))
    assert writes["count"] > 9
    assert study(laboratory) == study(undisturbed)
    assert sorted(laboratory.ran) == sorted(undisturbed.ran)


def test_the_undisturbed_study_has_what_the_others_are_held_against(undisturbed: Laboratory, tmp_path: Path) -> None:
    kinds = [trial["user_attrs"].get("kind") for trial in study(undisturbed)]
    assert kinds.count(None) == 5
    assert "duplicate" in kinds
    assert len(undisturbed.ran) == len(set(undisturbed.ran))
