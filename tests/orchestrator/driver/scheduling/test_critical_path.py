from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.driver.scheduling.critical_path import CriticalPathQueue
from orchestrator.driver.scheduling.job_queue import JobQueue
from orchestrator.planning.expand import expand_space
from orchestrator.planning.job_cost import effort
from search_spaces import load_space
from tests.builders import (
    attack_job,
    attack_settings,
    craft_job,
    defend_job,
    diagnose_job,
    evaluate_job,
    fine_tune_job,
    pretrain_job,
    small_plan,
    surface_job,
)
from tests.orchestrator.driver.scheduling.test_job_queue import run_to_end
from tests.simulation import Ran, Seconds, foreseen_seconds, gpu_seconds, shortest, simulate
from workers.spec.job import Job

JOBS = small_plan(repeats=3)


def taken(queue: JobQueue, *, slots: int) -> list[Job]:
    """The jobs that the queue hands out one after the other, each done before the next, to a sweep of so many slots."""
    found: list[Job] = []
    while (job := queue.take(slots=slots)) is not None:
        queue.begin(job.key)
        queue.succeed(job.key)
        found.append(job)
    assert queue.drained
    return found


def alike(job: Job) -> float:
    return 1.0


def many_models(number: int) -> list[Job]:
    """Nets, each with one attack; the last one is also fine-tuned and attacked."""
    nets = [pretrain_job(seed=seed) for seed in range(number)]
    last = fine_tune_job(nets[-1])
    return [*nets, *(attack_job(net) for net in nets), last, attack_job(last)]


def test_every_job_is_handed_out_once_after_its_parents_whoever_presses() -> None:
    for slots in (1, 2, 64):
        keys = [job.key for job in taken(CriticalPathQueue(JOBS, max_failures=0, effort=effort), slots=slots)]
        assert sorted(keys) == sorted(job.key for job in JOBS)
        assert all(keys.index(parent) < keys.index(job.key) for job in JOBS for parent in job.parents.values())


def test_with_plenty_to_do_the_order_is_the_job_queues() -> None:
    jobs = many_models(20)
    plain, farsighted = JobQueue(jobs, max_failures=0), CriticalPathQueue(jobs, max_failures=0, effort=alike)
    first = [(plain.take(slots=2), farsighted.take(slots=2)) for _ in range(8)]
    assert all(one is other for one, other in first)


def test_the_longest_chain_goes_first_where_it_would_outlast_the_rest() -> None:
    jobs = many_models(4)
    assert taken(CriticalPathQueue(jobs, max_failures=0, effort=alike), slots=8)[0] is jobs[3]
    assert taken(JobQueue(jobs, max_failures=0), slots=8)[0] is jobs[0]


def test_the_longest_measurement_is_not_left_for_the_end() -> None:
    net = pretrain_job()
    attacks = [attack_job(net, repeat=repeat) for repeat in range(6)]
    long = attack_job(net, attack=attack_settings(name="pgd", steps=100))
    order = taken(CriticalPathQueue([net, *attacks, long], max_failures=0, effort=effort), slots=4)
    assert order[:2] == [net, long]


def test_a_single_slot_takes_as_long_in_any_order_and_keeps_the_job_queues() -> None:
    assert taken(CriticalPathQueue(JOBS, max_failures=0, effort=effort), slots=1) == taken(JobQueue(JOBS, max_failures=0), slots=1)


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 2))
def test_whatever_fails_the_board_drains_and_every_job_ends_in_a_final_state(fails: list[bool], max_failures: int) -> None:
    queue = CriticalPathQueue(JOBS, max_failures=max_failures, effort=effort)
    run_to_end(queue, fails=fails, slots=8)
    assert queue.total("done") + queue.total("failed") + queue.total("blocked") == len(JOBS)


def test_a_job_that_is_tried_again_counts_as_work_that_is_left() -> None:
    jobs = many_models(3)
    queue = CriticalPathQueue(jobs, max_failures=1, effort=alike)
    job = queue.take(slots=4)
    assert job is not None
    queue.begin(job.key)
    queue.fail(job.key)
    assert queue.take(slots=4) is job


def test_efforts_compare_jobs_of_different_stages() -> None:
    net = pretrain_job(epochs=2)
    quick = [defend_job(net), evaluate_job(net), surface_job(net)]
    longer = [attack_job(net, attack=attack_settings(name="pgd", steps=10)), craft_job(net, attack=attack_settings(name="pgd", steps=10))]
    assert max(map(effort, quick)) < min(map(effort, longer)) < max(map(effort, longer)) < effort(net)
    assert effort(pretrain_job(epochs=4)) > 1.9 * effort(net)
    assert effort(diagnose_job(net, examples=64)) > effort(diagnose_job(net, examples=16))
    assert effort(attack_job(net, examples=64)) > effort(attack_job(net, examples=16))


def test_adversarial_training_is_more_effort_by_its_steps() -> None:
    plain = pretrain_job()
    efforts = []
    for adversary in ("none", "r_fgsm", "pgd"):
        training = plain.spec.training.model_copy(update={"adversarial_training": adversary})  # type: ignore[union-attr]
        efforts.append(effort(Job(spec=plain.spec.model_copy(update={"training": training}))))
    assert efforts == sorted(set(efforts))


class Watched(CriticalPathQueue):
    """A queue that is found out when it hands out nothing though a job's parents are all done."""

    def take(self, *, slots: int = 1) -> Job | None:
        job = super().take(slots=slots)
        if job is None:
            assert not [key for key in self._graph.jobs if self._graph.is_ready(key)]
        return job


@pytest.mark.parametrize("slots", [1, 3, 16, 64])
def test_no_gpu_idles_while_a_job_is_ready(slots: int) -> None:
    jobs = expand_space(load_space("table1-small", []).space)
    ran = simulate(Watched(jobs, max_failures=0, effort=effort), slots=slots, seconds=gpu_seconds(jobs))
    assert len(ran.attacked) == sum(job.stage == "attack" for job in jobs)


def plain_and_farsighted(jobs: list[Job], *, slots: int, seconds: Seconds) -> tuple[Ran, Ran]:
    queues = JobQueue(jobs, max_failures=0), CriticalPathQueue(jobs, max_failures=0, effort=effort)
    plain, farsighted = (simulate(queue, slots=slots, seconds=seconds) for queue in queues)
    return plain, farsighted


@pytest.mark.parametrize("slots", [2, 4, 16, 64])
def test_seeing_the_end_costs_no_time_and_hardly_any_earliness(slots: int) -> None:
    jobs = expand_space(load_space("table1", []).space)
    seconds = gpu_seconds(jobs)
    plain, farsighted = plain_and_farsighted(jobs, slots=slots, seconds=seconds)
    assert shortest(jobs, slots=slots, seconds=seconds) * 0.999 <= farsighted.makespan <= 1.005 * plain.makespan
    assert farsighted.mean_result < plain.mean_result + 0.05


def test_where_trainings_settle_the_end_they_are_not_left_for_it() -> None:
    jobs = expand_space(load_space("table2", []).space)
    utilisations = []
    for seconds in (foreseen_seconds, *(gpu_seconds(jobs, seed=seed) for seed in range(8))):
        plain, farsighted = plain_and_farsighted(jobs, slots=4, seconds=seconds)
        assert farsighted.makespan < 0.85 * plain.makespan
        assert farsighted.makespan < 1.05 * shortest(jobs, slots=4, seconds=seconds)
        utilisations.append((plain.utilisation, farsighted.utilisation))
    assert mean(of_plain for of_plain, _ in utilisations) < 0.8
    assert utilisations[0][1] > 0.98
