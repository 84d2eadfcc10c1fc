"""Which loss surfaces a space asks for, and from whose gradient."""

import pytest

from orchestrator.driver.scheduling.job_queue import JobQueue
from orchestrator.naming.names import job_description, job_name
from orchestrator.planning.expand import expand_space
from orchestrator.planning.job_cost import cost
from orchestrator.planning.prelaunch_checks import check_sizes
from search_spaces import load_space
from search_spaces.space import space_type
from tests.builders import evaluate_job, pretrain_job, surface_job
from workers.errors import UserError


def planned(*surfaces, **sections):
    """The space's jobs by key, and its surfaces."""
    data = {"name": "x", "data": {"name": "digits"}, "training": {"epochs": 1}, "surfaces": list(surfaces), **sections}
    jobs = {job.key: job for job in expand_space(space_type().model_validate(data))}
    return jobs, [job for job in jobs.values() if job.stage == "surface"]


def sources(jobs, surfaces):
    """For each surface the theta of its model, and the stage and theta of the net whose gradient it follows (None: its own)."""
    found = []
    for job in surfaces:
        source = jobs.get(job.parents.get("direction"))
        found.append((jobs[job.parents["model"]].spec.model.theta, source and (source.stage, source.spec.model.theta)))
    return found


def test_every_theta_follows_the_gradient_of_the_net_without_a_sketch():
    found = planned({}, model={"theta": [1.0, 0.9, 0.8]})
    assert sources(*found) == [(theta, ("pretrain", 1.0)) for theta in (1.0, 0.9, 0.8)]
    assert len({job.parents["direction"] for job in found[1]}) == 1


def test_an_own_direction_has_no_other_net_but_at_theta_one_it_is_the_same_job():
    own, shared = ({"direction": name} for name in ("own", "theta_one"))
    assert sources(*planned(own, model={"theta": [1.0, 0.9]})) == [(1.0, ("pretrain", 1.0)), (0.9, None)]
    _, both = planned(own, shared, model={"theta": [1.0, 0.9]})
    assert len(both) == 3


@pytest.mark.parametrize(
    ("defence", "thetas", "n_own"),
    [
        ({"name": "feature_squeezing"}, [1.0], 2),
        ({"name": "random_resize_pad"}, [1.0], 2),
        ({"name": "defensive_dropout"}, [1.0], 2),
        ({"name": "defensive_quantization"}, [1.0], 1),
    ],
)
def test_a_defended_net_is_itself_theta_one_only_if_it_was_trained_so_and_nothing_is_random(defence, thetas, n_own):
    jobs, found = planned({"direction": ["own", "theta_one"]}, model={"theta": thetas}, defence=defence)
    assert len(found) == n_own
    directed = [job for job in found if "direction" in job.parents]
    assert sources(jobs, directed) == [(1.0, ("pretrain", 1.0))]


def test_thetas_under_a_defence_share_the_plane_of_the_net_that_was_trained():
    jobs, found = planned({}, model={"theta": [1.0, 0.9]}, defence={"name": ["none", "random_resize_pad"]})
    assert len(found) == 4
    assert {job.parents["direction"] for job in found} == {key for key, job in jobs.items() if job.stage == "pretrain"}


def test_a_decomposed_net_follows_the_tucker_net_and_not_the_dense_one():
    jobs, found = planned({}, model={"theta": [0.9], "init": "decompose"})
    assert sources(jobs, found) == [(0.9, ("fine_tune", 1.0))]


def test_draws_make_jobs_only_where_something_is_random():
    _, plain = planned({"draws": [1, 2, 3]}, model={"theta": 1.0})
    _, sketched = planned({"draws": [1, 2, 3]}, model={"theta": 0.9})
    assert [job.spec.surface.draws for job in plain] == [1]
    assert [job.spec.surface.draws for job in sketched] == [1, 2, 3]


def test_figures_2_and_3_have_the_thetas_and_directions_of_the_paper_and_share_theta_one():
    spaces = {
        name: {job.key: job for job in expand_space(load_space(name, ["model.rank_fraction=1.0"]).space)} for name in ("figure2", "figure3")
    }
    found = {name: [job for job in jobs.values() if job.stage == "surface"] for name, jobs in spaces.items()}
    thetas = (1.0, 0.95, 0.9, 0.8)
    assert sources(spaces["figure2"], found["figure2"]) == [(theta, ("pretrain", 1.0)) for theta in thetas]
    assert sources(spaces["figure3"], found["figure3"]) == [(1.0, ("pretrain", 1.0)), *((theta, None) for theta in thetas[1:])]
    assert found["figure2"][0] == found["figure3"][0]
    assert {job.spec.surface.extent for jobs in found.values() for job in jobs} == {0.5}


def test_figure_4_is_trained_adversarially_and_the_small_space_has_all_three_figures():
    def cells(name):
        jobs = {job.key: job for job in expand_space(load_space(name).space)}
        surfaces = [job for job in jobs.values() if job.stage == "surface"]
        models = [(jobs[job.parents["model"]].spec, job.spec.surface.direction) for job in surfaces]
        return {(spec.model.theta, spec.training.adversarial_training, direction) for spec, direction in models}

    assert {training for _, training, _ in cells("figure4")} == {"pgd"}
    assert cells("surfaces-small") == cells("figure2") | cells("figure3") | cells("figure4")


def test_surfaces_wait_for_both_parents_and_come_after_other_measurements():
    full = pretrain_job()
    other = pretrain_job(seed=1)
    queue = JobQueue([full, other, surface_job(full, source=other), evaluate_job(full)], max_failures=0)
    taken = []
    while not queue.drained:
        job = queue.take()
        taken.append(job.stage)
        queue.begin(job.key)
        queue.succeed(job.key)
    assert taken == ["pretrain", "evaluate", "pretrain", "surface"]


def test_an_example_that_the_test_split_lacks_is_known_before_anything_runs():
    full = pretrain_job()
    check_sizes([full, surface_job(full, example=399)])
    with pytest.raises(UserError, match=r"^surfaces\.example=400: must be in \[0, 399\], a place in digits's test split$"):
        check_sizes([full, surface_job(full, example=400)])


def test_a_surface_is_described_and_costs_as_many_passes_as_it_has_points():
    job = surface_job(pretrain_job(), example=3, draws=2, resolution=7, clip=True)
    words = "loss surface of example 3, direction own, resolution=7, draws=2, clip=True"
    assert job_name(job) == job_description(job.spec.model_dump_json()) == words
    assert cost(job) == 2 * 7 * 7
