import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.driver.scheduling.estimate import TimeEstimate, cost_of, estimate
from orchestrator.planning.plan import make_plan
from orchestrator.store import open_store
from orchestrator.store.reading.timings import Timing, recent_timings
from tests.builders import attack_job, attack_settings, evaluate_job, fine_tune_job, pretrain_job, small_plan
from tests.commands import robustsweep
from tests.stored import launch
from workers.spec.job import Job
from workers.spec.stage_specs import TrainSpec


def timing(job: Job, seconds: float, *, model: Job | None = None, device: str = "cpu") -> Timing:
    trained = (model or job).spec
    assert isinstance(trained, TrainSpec)
    return Timing(spec=job.spec, model=trained, seconds=seconds, device=device)


def estimated(jobs: list[Job], timings: list[Timing], *, workers: int = 1) -> TimeEstimate:
    return estimate(make_plan(jobs, recorded=frozenset(), finished=frozenset()), timings, workers=workers)


FULL = pretrain_job(width=4)


def test_a_job_takes_as_long_as_its_work_at_the_rate_of_like_jobs() -> None:
    short, long = fine_tune_job(FULL, epochs=2), fine_tune_job(FULL, theta=0.5, epochs=6)
    assert estimated([FULL, short, long], [timing(short, 10.0)]).by_stage["fine_tune"] == pytest.approx(10 + 30)


def test_more_examples_and_more_steps_take_longer() -> None:
    fgsm, pgd = attack_job(FULL), attack_job(FULL, attack=attack_settings(name="pgd", steps=10))
    measured = timing(fgsm, 4.0, model=FULL)
    assert estimated([FULL, pgd], [measured]).by_stage["attack"] == pytest.approx(4.0 * (10 * 3 + 1) / (3 + 1))
    larger = evaluate_job(FULL, examples=160)
    assert estimated([FULL, larger], [timing(evaluate_job(FULL), 1.0, model=FULL)]).by_stage["evaluate"] == pytest.approx(10.0)


def test_the_same_network_counts_before_others_and_the_same_stage_before_like_ones() -> None:
    wide = pretrain_job(width=64)
    timings = [timing(evaluate_job(wide), 100.0, model=wide), timing(evaluate_job(FULL), 1.0, model=FULL)]
    assert estimated([FULL, evaluate_job(FULL)], timings).by_stage["evaluate"] == pytest.approx(1.0)
    assert estimated([FULL, evaluate_job(FULL)], timings[:1]).by_stage["evaluate"] == pytest.approx(100.0)
    assert estimated([FULL], [timing(fine_tune_job(FULL), 3.0)]).by_stage["pretrain"] == pytest.approx(3.0)


def test_what_no_finished_job_is_like_is_said_and_not_made_up() -> None:
    found = estimated([FULL, evaluate_job(FULL)], [timing(FULL, 5.0)])
    assert (found.work, dict(found.unknown), found.timed) == (5.0, {"evaluate": 1}, 1)
    nothing = estimated([FULL], [])
    assert (nothing.work, nothing.device, dict(nothing.unknown)) == (0.0, None, {"pretrain": 1})


def test_only_jobs_of_the_newest_ones_device_are_gone_by() -> None:
    found = estimated([FULL], [timing(FULL, 1.0, device="cuda"), timing(FULL, 60.0)])
    assert (found.work, found.device, found.timed) == (1.0, "cuda", 1)


def test_the_end_waits_for_parents_and_for_workers() -> None:
    models = [fine_tune_job(FULL, theta=theta) for theta in (0.9, 0.8, 0.7, 0.6)]
    timings = [timing(FULL, 10.0), timing(models[0], 10.0)]
    ends = [estimated([FULL, *models], timings, workers=workers).wall for workers in (1, 2, 100)]
    assert ends == pytest.approx([50.0, 30.0, 20.0])


def test_the_cost_is_that_of_all_workers_to_the_end() -> None:
    found = replace(estimated([FULL], [timing(FULL, 7200.0)]), workers=3)
    assert cost_of(found, price=2.0) == pytest.approx(12.0)


def test_timings_are_read_from_what_a_launch_recorded(tmp_path: Path) -> None:
    jobs = small_plan(theta=0.8)
    with open_store(f"sqlite:///{tmp_path}/results.db", upgrade=True) as store:
        launch(store, jobs)
        found = recent_timings(store)
    assert sorted((timing.spec.stage, timing.device) for timing in found) == sorted((job.stage, "cpu") for job in jobs)
    assert all(timing.seconds > 0 and timing.model.data.name == "digits" for timing in found)


def test_the_command_estimates_from_its_own_database_alone(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/sweeps/results.db", upgrade=True) as store:
        launch(store, small_plan(theta=0.8))
    asked = ["plan", "quickstart", "--estimate", "--workers", "2", "--price", "3"]
    told = robustsweep(*asked, cwd=tmp_path).stdout
    assert "with 2 workers" in told
    assert "at 3 an hour" in told
    record = json.loads(robustsweep(*asked, "-f", "json", cwd=tmp_path).stdout)["estimate"]
    assert record["work_seconds"] >= record["wall_seconds"] > 0
    assert record["cost"] == pytest.approx(record["wall_seconds"] * 2 * 3 / 3600)
    assert "holds no finished job" in robustsweep("plan", "quickstart", "--estimate", "--home", "empty", cwd=tmp_path).stdout
    assert robustsweep("plan", "quickstart", "--price", "3", cwd=tmp_path).returncode == 2
