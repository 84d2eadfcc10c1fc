from orchestrator.planning.plan import make_plan
from tests.builders import small_plan


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
