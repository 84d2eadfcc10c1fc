from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from orchestrator.planning.plan import make_plan
from orchestrator.planning.prelaunch_checks import check_data, check_sizes
from tests.builders import diagnose_job, evaluate_job, pretrain_job, small_plan, surface_job
from tests.workers.data.speech_root import make_root
from workers.errors import DataError, UserError
from workers.spec.component import DataSpec
from workers.spec.job import Job
from workers.spec.model import ModelSpec
from workers.spec.stage_specs import TrainSpec


def test_nothing_done_means_everything_runs_parents_first() -> None:
    jobs = small_plan()
    plan = make_plan(jobs, recorded=frozenset(), finished=frozenset())
    assert plan.to_run == tuple(jobs)
    assert all(plan.done(job.stage) == 0 for job in jobs)


def test_recorded_jobs_do_not_run_again() -> None:
    jobs = small_plan()
    keys = {job.key for job in jobs}
    plan = make_plan(jobs, recorded=keys, finished=keys)
    assert plan.to_run == ()
    assert plan.unrecorded == frozenset()


def test_a_finished_job_without_a_row_is_recorded_and_not_run() -> None:
    jobs = small_plan()
    keys = {job.key for job in jobs}
    lost = jobs[-1].key
    plan = make_plan(jobs, recorded=keys - {lost}, finished=keys)
    assert plan.to_run == ()
    assert plan.unrecorded == {lost}


def test_a_recorded_parent_whose_files_are_gone_runs_again_only_where_a_job_needs_it() -> None:
    jobs = small_plan()
    keys = {job.key for job in jobs}
    attack = next(job for job in jobs if job.stage == "attack")
    assert make_plan(jobs, recorded=keys, finished=frozenset()).to_run == ()
    plan = make_plan(jobs, recorded=keys - {attack.key}, finished=frozenset())
    ancestors = _ancestors(attack.key, {job.key: set(job.parents.values()) for job in jobs})
    assert plan.pending == {attack.key}
    assert plan.recreated == ancestors
    assert {job.key for job in plan.to_run} == ancestors | {attack.key}


def _ancestors(key: str, parents: dict[str, set[str]]) -> set[str]:
    return parents[key] | {further for parent in parents[key] for further in _ancestors(parent, parents)}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (partial(evaluate_job, examples=13), r"^evaluation\.examples=13: must be at most 12, the size of speech_commands's test split$"),
        (partial(diagnose_job, examples=13), r"^diagnosis\.examples=13: must be at most 12"),
        (partial(surface_job, example=12), r"^surfaces\.example=12: must be in \[0, 11\]"),
    ],
)
def test_more_examples_than_the_files_hold_are_refused_though_the_model_is_trained(
    make: Callable[[Job], Job], said: str, tmp_path: Path
) -> None:
    spec = pretrain_job().spec
    assert isinstance(spec, TrainSpec)
    model = Job(spec=spec.model_copy(update={"data": DataSpec(name="speech_commands"), "model": ModelSpec(name="soundnet5")}))
    plan = make_plan([model, make(model)], recorded={model.key}, finished={model.key})
    assert model not in plan.to_run
    with pytest.raises(DataError, match="looked for"):
        check_data(plan.using_data, tmp_path)
    make_root(tmp_path)
    check_data(plan.using_data, tmp_path)
    with pytest.raises(UserError, match=said):
        check_sizes(plan.using_data, tmp_path)
