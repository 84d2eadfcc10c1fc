import pytest

from orchestrator.store import Store, finished_keys, record_result, surface_rows
from tests.builders import fine_tune_job, flags_result, pretrain_job, result_of, surface_job
from tests.stored import record_sweep
from workers.errors import UserError
from workers.spec.job import Job

FULL = pretrain_job()
SKETCHED = fine_tune_job(FULL)
FIRST = surface_job(FULL, source=FULL)
SHARED = surface_job(SKETCHED, source=FULL, example=3, draws=2, extent=0.25)
OWN = surface_job(SKETCHED, norm="l2", clip=True)
JOBS = [FULL, SKETCHED, OWN, SHARED, FIRST]


@pytest.fixture
def done(store: Store) -> list[Job]:
    record_sweep(store, name="small", space_text="", jobs=JOBS)
    for job in JOBS:
        record_result(store, job, result_of(job), attempt_id=None)
    return JOBS


def test_surfaces_come_with_their_models_sorted_by_theta_and_example(store: Store, done: list[Job]) -> None:
    rows = surface_rows(store, "small")
    assert [row.job_key for row in rows] == [FIRST.key, OWN.key, SHARED.key]
    assert finished_keys(store) == {job.key for job in done}
    shared = rows[-1]
    assert (shared.sweep, shared.model_key, shared.source_key, shared.stage) == ("small", SKETCHED.key, FULL.key, "fine_tune")
    assert (shared.dataset, shared.model, shared.theta, shared.rank_fraction, shared.defence) == ("digits", "resnet18", 0.8, 0.5, "none")
    assert (shared.example, shared.direction, shared.extent, shared.resolution, shared.draws) == (3, "theta_one", 0.25, 5, 2)
    assert (shared.label, shared.clean_loss, shared.least_loss, shared.greatest_loss) == (7, 0.25, 0.125, 9.5)


def test_a_net_that_follows_its_own_gradient_is_its_own_source(store: Store, done: list[Job]) -> None:
    first, own, _ = surface_rows(store, None)
    assert (own.source_key, own.direction, own.norm, own.clip) == (SKETCHED.key, "own", "l2", True)
    assert (first.source_key, first.direction, first.norm, first.clip) == (FULL.key, "theta_one", "linf", False)


def test_only_the_sweeps_own_surfaces_are_its_own(store: Store, done: list[Job]) -> None:
    record_sweep(store, name="other", space_text="", jobs=[FULL, FIRST])
    assert [row.job_key for row in surface_rows(store, "other")] == [FIRST.key]
    assert [row.sweep for row in surface_rows(store, None)] == ["other", "small", "small", "small"]
    with pytest.raises(UserError, match=r"^sweep 'x': one of other, small$"):
        surface_rows(store, "x")


def test_a_surface_whose_model_is_not_recorded_waits_for_it(store: Store) -> None:
    record_sweep(store, name="small", space_text="", jobs=JOBS)
    record_result(store, OWN, result_of(OWN), attempt_id=None)
    assert surface_rows(store, "small") == []


def test_a_surface_with_another_stages_outcome_is_refused(store: Store, done: list[Job]) -> None:
    with pytest.raises(ValueError, match=r"outcome 'flags' .* not one of stage surface"):
        record_result(store, OWN, flags_result(OWN), attempt_id=None)
