"""What is told of a trial, as the installed Optuna keeps it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Engine, event

from orchestrator.search.optuna_storage import study_storage, trial_id
from orchestrator.search.trial_plan import Complete
from orchestrator.search.trials import tell
from orchestrator.store import open_store

VIOLATIONS = {"clean_accuracy >= 0.6": -0.25, "cost <= 1": 0.5}
VERSION = f"optuna {optuna.__version__}"


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[BaseStorage]:
    with open_store(f"sqlite:///{tmp_path}/results.db", upgrade=True) as store, study_storage(store) as opened:
        yield opened


@pytest.fixture
def study(storage: BaseStorage) -> Study:
    return optuna.create_study(storage=storage, study_name="told", directions=["maximize", "minimize"])


def kept(trial: FrozenTrial) -> tuple[object, ...]:
    return trial.state, trial.values, trial.constraints, trial.system_attrs, trial.user_attrs


def test_a_complete_trial_is_kept_as_optunas_own_tell_and_set_constraint_keep_it(study: Study) -> None:
    ours, theirs = study.ask(), study.ask()
    tell(study, ours, Complete((0.5, 2), VIOLATIONS), note="kept")
    theirs.set_user_attr("note", "kept")
    for name, violation in VIOLATIONS.items():
        theirs.set_constraint(name, violation)
    study.tell(theirs, [0.5, 2])
    first, second = study.get_trials()
    assert kept(first) == kept(second), f"{VERSION} keeps a told trial in another form: `_complete` has to follow"
    assert first.state is TrialState.COMPLETE
    assert first.constraints == VIOLATIONS


def test_a_trial_that_was_told_stays_as_it_is(study: Study) -> None:
    trial = study.ask()
    for values in ((0.5, 2.0), (0.1, 1.0)):
        tell(study, trial, Complete(values, VIOLATIONS))
    assert study.get_trials()[0].values == [0.5, 2.0]


def test_a_running_trial_is_taken_up_by_its_number(storage: BaseStorage, study: Study) -> None:
    study.ask()
    left = study.ask()
    left.suggest_float("theta", 0.5, 1.0)
    again = optuna.Trial(study, trial_id(storage, study, left.number))
    assert (again.number, again.params) == (left.number, left.params), f"{VERSION} numbers its trials in another way"


def test_telling_does_not_read_the_trial_from_the_database(study: Study) -> None:
    """Optuna's own tell and set_constraint take 26 statements, each a message to the database."""
    trial, statements = study.ask(), list[str]()

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        tell(study, trial, Complete((0.5, 2.0), {"clean_accuracy >= 0.6": -0.25}))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(statements) <= 9, f"{VERSION}: " + "\n".join(statements)
