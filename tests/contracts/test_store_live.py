"""What a dashboard reads while a sweep runs, on every store."""

import pytest

from orchestrator.store import Store, end_driving, record_failure, record_result, start_attempt
from orchestrator.store.reading.dashboard_queries import (
    finished_jobs,
    mean_seconds,
    places_of,
    running_elsewhere,
    running_jobs,
    sweep_heads,
)
from orchestrator.store.reading.keeping_attacks import keeping_attacks
from tests.builders import ENVIRONMENT, result_of, small_plan
from tests.stored import begin_driving, record_sweep, silence
from workers.errors import UserError
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec


@pytest.fixture
def plan(store: Store) -> list[Job]:
    jobs = small_plan()
    record_sweep(store, name="small", space_text="", jobs=jobs)
    return jobs


def test_the_sweep_that_runs_comes_first_and_one_never_launched_last(store: Store, plan: list[Job]) -> None:
    for name in ("a-old", "b-new", "never"):
        record_sweep(store, name=name, space_text="", jobs=plan)
    for name in ("a-old", "b-new"):
        end_driving(store, begin_driving(store, name, "host", 1))
    begin_driving(store, "small", "host", 1)
    heads = sweep_heads(store)
    assert [head.name for head in heads] == ["small", "b-new", "a-old", "never"]
    assert [head.driver_alive for head in heads] == [True, False, False, False]


def test_running_jobs_are_those_of_a_living_driver(store: Store, plan: list[Job]) -> None:
    first, *_ = plan
    begin_driving(store, "small", "host", 1)
    record_failure(store, first.key, attempt_id=start_attempt(store, "small", first.key), error="boom", traceback="", final=False)
    start_attempt(store, "small", first.key)
    (job,) = running_jobs(store, "small")
    assert (job.key, job.stage, job.attempt) == (first.key, "pretrain", 2)
    assert job.description == "theta 1"
    silence(store, "small", seconds=60)
    assert running_jobs(store, "small") == []
    with pytest.raises(UserError, match="sweep 'other'"):
        running_jobs(store, "other")


def test_what_runs_elsewhere_is_what_other_living_drivers_are_at(store: Store, plan: list[Job]) -> None:
    for name in ("other", "dead"):
        record_sweep(store, name=name, space_text="", jobs=plan)
    assert running_elsewhere(store, sweep="small") == frozenset()
    for name, job in zip(("small", "other", "dead"), plan, strict=False):
        begin_driving(store, name, "host", 1)
        start_attempt(store, name, job.key)
    silence(store, "dead", seconds=60)
    assert running_elsewhere(store, sweep="small") == {plan[1].key}
    assert running_elsewhere(store, sweep="never recorded") == {plan[0].key, plan[1].key}
    record_failure(store, plan[1].key, attempt_id=start_attempt(store, "other", plan[1].key), error="boom", traceback="", final=False)
    record_result(store, plan[1], result_of(plan[1]), attempt_id=None)
    end_driving(store, begin_driving(store, "other", "host", 1))
    assert running_elsewhere(store, sweep="small") == frozenset()


def test_finished_jobs_say_how_fast_and_where_the_sweep_is_computed(store: Store, plan: list[Job]) -> None:
    begin_driving(store, "small", "host", 1)
    for job in plan[:3]:
        record_result(store, job, result_of(job), attempt_id=start_attempt(store, "small", job.key))
    record_result(store, plan[3], result_of(plan[3]), attempt_id=None)  # found by its artifact: when it ran is unknown
    finished = finished_jobs(store, "small")
    assert [job.key for job in finished] == [job.key for job in reversed(plan[:3])]
    assert [job.key for job in finished_jobs(store, "small", stage="pretrain")] == [plan[0].key]
    assert set(mean_seconds(finished)) == {job.stage for job in plan[:3]}
    assert all(seconds >= 0 for seconds in mean_seconds(finished).values())
    places = places_of(store, [*(job.key for job in plan[:3]), "0" * 64])
    assert set(places) == {job.key for job in plan[:3]}
    assert {place.host for place in places.values()} == {ENVIRONMENT.host}


def test_attacks_on_crafted_examples_are_found_by_their_model(store: Store, plan: list[Job]) -> None:
    for job in plan:
        record_result(store, job, result_of(job), attempt_id=None)
    (tried,) = (job for job in plan if isinstance(job.spec, AttackSpec) and "examples" in job.parents and job.spec.repeat == 0)
    (found,) = keeping_attacks(store, model=tried.parents["model"], tried=True)
    assert (found.job_key, found.count) == (tried.key, 16)
    assert found.description.startswith("fgsm 8/255")
    assert keeping_attacks(store, model=tried.parents["model"]) == []
    assert keeping_attacks(store, model="0" * 64, tried=True) == []
