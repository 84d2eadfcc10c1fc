from hypothesis import given
from hypothesis import strategies as st

from orchestrator.driver.scheduling.job_queue import JobQueue
from tests.builders import defend_job, evaluate_job, fine_tune_job, pretrain_job, small_plan
from workers.spec.job import Job

JOBS = small_plan(repeats=3)


def run_to_end(queue: JobQueue, *, fails: list[bool], slots: int = 1) -> list[Job]:
    """Run every job that the queue hands out, one after the other; attempt number i fails where `fails[i]`."""
    taken: list[Job] = []
    outcomes = iter(fails)
    while not queue.drained:
        job = queue.take(slots=slots)
        assert job is not None, "nothing is under way, so something must be ready"
        queue.begin(job.key)
        taken.append(job)
        if next(outcomes, False):
            queue.fail(job.key)
        else:
            queue.succeed(job.key)
    return taken


def test_every_job_is_handed_out_once_after_its_parents() -> None:
    taken = [job.key for job in run_to_end(JobQueue(JOBS, max_failures=0), fails=[])]
    assert sorted(taken) == sorted(job.key for job in JOBS)
    for job in JOBS:
        assert all(taken.index(parent) < taken.index(job.key) for parent in job.parents.values())


def taken_at_once(*, slots: int) -> list[str]:
    """The stages that the queue hands out, in order, when the pretrained model is done and nothing else ends."""
    queue = JobQueue(JOBS, max_failures=0)
    pretrain = queue.take(slots=slots)
    assert pretrain is not None
    assert pretrain.stage == "pretrain"
    assert queue.take(slots=slots) is None
    queue.begin(pretrain.key)
    queue.succeed(pretrain.key)
    stages = []
    while (job := queue.take(slots=slots)) is not None:
        stages.append(job.stage)
    return stages


def test_a_single_worker_measures_before_it_trains_more() -> None:
    stages = taken_at_once(slots=1)
    assert stages == sorted(stages, key=("evaluate", "attack", "craft", "fine_tune").index)
    assert stages[-1] == "fine_tune"


def test_with_two_workers_one_goes_on_training() -> None:
    stages = taken_at_once(slots=2)
    assert stages[0] == "fine_tune"
    assert stages[1:] == sorted(stages[1:], key=("evaluate", "attack", "craft").index)


def test_a_defence_is_put_around_a_net_before_anything_else() -> None:
    full = pretrain_job()
    defended = defend_job(full)
    queue = JobQueue([full, evaluate_job(full), fine_tune_job(full), defended, evaluate_job(defended)], max_failures=0)
    assert [job.stage for job in run_to_end(queue, fails=[])] == ["pretrain", "defend", "evaluate", "evaluate", "fine_tune"]


def test_a_job_is_tried_again_until_its_failures_are_used_up_and_then_blocks_its_descendants() -> None:
    queue = JobQueue(JOBS, max_failures=2)
    taken = run_to_end(queue, fails=[True, True, True])
    assert [job.stage for job in taken] == ["pretrain"] * 3
    assert queue.total("failed") == 1
    assert queue.total("blocked") == len(JOBS) - 1


def test_a_failure_that_is_tried_again_costs_nothing_else() -> None:
    queue = JobQueue(JOBS, max_failures=2)
    assert len(run_to_end(queue, fails=[True, False, True])) == len(JOBS) + 2
    assert queue.total("done") == len(JOBS)


def test_a_stopped_board_hands_out_nothing() -> None:
    queue = JobQueue(JOBS, max_failures=2)
    queue.stop()
    assert queue.take() is None
    assert queue.drained


def test_a_parent_that_is_not_on_the_board_is_done() -> None:
    attacks = [job for job in JOBS if job.stage == "attack"]
    assert len(run_to_end(JobQueue(attacks, max_failures=0), fails=[])) == len(attacks)


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 2))
def test_whatever_fails_the_board_drains_and_every_job_ends_in_a_final_state(fails: list[bool], max_failures: int) -> None:
    queue = JobQueue(JOBS, max_failures=max_failures)
    run_to_end(queue, fails=fails)
    assert queue.total("done") + queue.total("failed") + queue.total("blocked") == len(JOBS)
