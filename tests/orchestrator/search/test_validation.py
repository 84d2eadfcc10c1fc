"""Searches that choose on validation: their winners are measured on test once, at the end."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

from orchestrator.paths import Paths
from orchestrator.report.study import BestOptions, choose_best
from orchestrator.store import open_store, result_rows
from orchestrator.store.reading.test_looks import looks_at_test
from search_spaces import Space
from tests.orchestrator.search.synthetic import Laboratory, searched, space_text
from workers.errors import UserError
from workers.spec.job import Job
from workers.spec.stage_specs import EvaluateSpec


def choosing(validation: object, *, n_trials: int = 2) -> Space:
    data = yaml.safe_load(space_text(n_trials=n_trials, objectives=["clean_accuracy"]))
    del data["data"]["validation_examples"]
    if validation is not None:
        data["data"]["validation_examples"] = validation
    return searched(yaml.safe_dump(data, sort_keys=False))


@pytest.fixture
def laboratory(tmp_path: Path) -> Laboratory:
    return Laboratory(tmp_path, f"sqlite:///{tmp_path / 'store.db'}")


def measured(laboratory: Laboratory) -> Counter[tuple[str, str]]:
    with open_store(laboratory.url, upgrade=False) as store:
        rows = result_rows(store, "small", per_repeat=False)
    return Counter((row.split, row.attack) for row in rows)


def test_a_search_holds_a_tenth_out_measures_trials_on_it_and_the_winner_on_test_once(laboratory: Laboratory) -> None:
    laboratory.launch(choosing(None))
    assert measured(laboratory) == {("validation", "pgd"): 2, ("test", "pgd"): 1}
    assert {spec.data.validation_examples for spec in laboratory.models.values()} == {0.1}
    with open_store(laboratory.url, upgrade=False) as store, store.reading() as connection:
        assert looks_at_test(connection, ["digits"]) == []
    choice = choose_best(BestOptions(paths=Paths.resolve(home=laboratory.folder, store=laboratory.url), sweep="small"))
    names = [column.name for column in choice.table.columns]
    (row,) = choice.table.rows
    assert row[names.index("clean_accuracy on test")] == row[names.index("clean_accuracy")]
    assert choice.notes[-1] == "chosen on the validation split; no choice has looked at the figures on test"
    assert choice.looked_at == ()
    with laboratory.open(choosing(None)) as (_, search, _):
        assert search.nothing_to_do


def test_a_killed_driver_leaves_the_winner_to_the_next(laboratory: Laboratory) -> None:
    with laboratory.open(choosing(None)) as (_, search, sweep):
        while (job := sweep.take()) is None or not is_on_test(job):
            if job is not None:
                laboratory.run(job, sweep)
        assert not search.nothing_to_do
    laboratory.launch(choosing(None))
    assert measured(laboratory)["test", "pgd"] == 1


def is_on_test(job: Job) -> bool:
    return isinstance(job.spec, EvaluateSpec) and job.spec.evaluation.split == "test"


def test_a_search_on_test_counts_each_trial_as_a_look_and_is_not_continued_on_validation(laboratory: Laboratory) -> None:
    laboratory.launch(choosing(0))
    assert measured(laboratory) == {("test", "pgd"): 2}
    with open_store(laboratory.url, upgrade=False) as store, store.reading() as connection:
        (found,) = looks_at_test(connection, ["digits"])
    assert (found.dataset, found.times, found.models) == ("digits", 2, 2)
    with (
        pytest.raises(UserError, match=r"with data.validation_examples: 0 they would, if they were measured on test"),
        laboratory.open(choosing(None)),
    ):
        pass
