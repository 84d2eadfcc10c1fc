"""How jobs share GPUs: by measured memory, never more than fits, and no large job waits for ever."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.driver.recorder import Recorder
from orchestrator.driver.scheduling.job_queue import JobQueue
from orchestrator.driver.sweep_run import SweepRun
from orchestrator.executors.base import Folders, Resources
from orchestrator.executors.memory_retry import RetryLimits
from orchestrator.executors.ray_tune.gpu_allocator import FairQueue, GpuAllocator
from orchestrator.executors.ray_tune.gpu_packing import GpuPacking
from orchestrator.executors.ray_tune.ray_executor import JobSearcher
from orchestrator.store import failures, open_store
from orchestrator.store.reading.timings import recent_footprints
from tests.builders import attack_job, attack_settings, evaluate_job, pretrain_job, result_of
from tests.stored import record_sweep
from workers.artifacts.artifacts import Artifacts
from workers.errors import UserError
from workers.runtime.process_memory import allowed_fraction
from workers.spec.job import Job
from workers.spec.stage_specs import TrainSpec

GIB = 1 << 30
FULL = pretrain_job()
MODEL = FULL.spec
assert isinstance(MODEL, TrainSpec)
EVALUATE, ATTACK = evaluate_job(FULL), attack_job(FULL)


def packing(peak: float, *, gpu: float | None = 80.0) -> GpuPacking:
    """One that has seen the evaluation take so many GiB."""
    found = GpuPacking(gpu_memory=None if gpu is None else int(gpu * GIB))
    found.learn(EVALUATE.spec, MODEL, int(peak * GIB))
    return found


@pytest.mark.parametrize(("peak", "share"), [(0.1, 0.125), (7.7, 0.125), (7.9, 0.25), (30, 0.5), (60, 1.0), (79, 1.0), (200, 1.0)])
def test_a_job_gets_what_its_like_took_with_room_to_spare_in_eighths_of_a_gpu(peak: float, share: float) -> None:
    found = packing(peak).share(EVALUATE.spec, MODEL)
    assert found == share
    assert share == 1 or peak * GIB <= allowed_fraction(found, total=80 * GIB) * 80 * GIB


def test_the_largest_of_its_kind_counts() -> None:
    found = packing(30)
    found.learn(EVALUATE.spec, MODEL, GIB)
    assert found.share(evaluate_job(FULL, repeat=7).spec, MODEL) == 0.5


@pytest.mark.parametrize("job", [FULL, ATTACK, evaluate_job(FULL, batch_size=16), evaluate_job(FULL, examples=15)])
def test_what_was_never_measured_gets_a_gpu_for_itself(job: Job) -> None:
    assert packing(1).share(job.spec, MODEL) == 1
    assert packing(1).share(EVALUATE.spec, None) == 1
    assert packing(1, gpu=None).share(EVALUATE.spec, MODEL) == 1


def test_seeds_epsilons_and_steps_make_no_other_kind_but_the_attack_and_the_width_do() -> None:
    found = GpuPacking(gpu_memory=80 * GIB)
    found.learn(ATTACK.spec, MODEL, GIB)
    alike = attack_job(FULL, attack=attack_settings(epsilon=2 / 255, epsilon_literal="2/255"))
    assert found.share(alike.spec, MODEL.model_copy(update={"seed": 5})) == 0.125
    assert found.share(attack_job(FULL, attack=attack_settings(name="apgd_ce", steps=3)).spec, MODEL) == 1
    wider = MODEL.model_copy(update={"model": MODEL.model.with_settings(width=64)})
    assert found.share(ATTACK.spec, wider) == 1


def test_a_net_that_differs_in_its_rank_is_taken_to_be_like_the_largest_until_it_is_measured_itself() -> None:
    found = packing(30)
    other = MODEL.model_copy(update={"model": MODEL.model.model_copy(update={"rank_fraction": 0.1})})
    assert found.share(EVALUATE.spec, other) == 0.5
    found.learn(EVALUATE.spec, other, GIB)
    assert (found.share(EVALUATE.spec, other), found.share(EVALUATE.spec, MODEL)) == (0.125, 0.5)


@pytest.mark.parametrize("share", [0.125, 0.25, 0.5])
@pytest.mark.parametrize("total", [16 * GIB, 80 * GIB])
def test_jobs_that_fill_a_gpu_leave_cuda_its_own(share: float, total: int) -> None:
    assert (allowed_fraction(share, total=total) * total + 600 * 2**20) / share <= total
    assert allowed_fraction(1.0, total=total) == 1


def shared(resources: Resources | None = None, *, gpus: float = 1, peak: float = 1) -> GpuAllocator:
    return GpuAllocator(resources or Resources(), packing(peak), gpus=gpus, slots=1, most=8)


def test_shares_that_the_user_asks_for_are_the_shares() -> None:
    allocator = shared(Resources(gpus_per_train=2, gpus_per_attack=0.5))
    assert (allocator.share(FULL, MODEL, RetryLimits()), allocator.share(EVALUATE, MODEL, RetryLimits())) == (2, 0.5)
    assert (allocator.share(FULL, MODEL, RetryLimits(whole=True)), allocator.share(EVALUATE, MODEL, RetryLimits(whole=True))) == (2, 1)


def test_without_gpus_nobody_gets_a_share() -> None:
    assert shared(gpus=0).share(EVALUATE, MODEL, RetryLimits()) == 0
    assert shared(gpus=0).share(EVALUATE, MODEL, RetryLimits(whole=True)) == 0


def test_as_many_jobs_ask_as_run_at_once_by_their_sizes() -> None:
    allocator = shared()
    assert (allocator.slots, allocator.accepts_requests) == (1, True)
    allocator.request("first", 1.0)
    assert not allocator.accepts_requests
    allocator.begin("first")
    allocator.release("first")
    for number in range(8):
        assert allocator.accepts_requests
        allocator.request(str(number), 0.125)
    assert allocator.slots == 8
    assert not allocator.accepts_requests


def served(queue: FairQueue, shares: list[float], *, gpu: float = 1.0) -> list[float]:
    """The shares of jobs in the order in which they began, on one GPU that gives whatever is free to the first in the queue whom it fits;
    at most ten wait at once, and each job runs while eight others begin."""
    waiting: list[str] = []
    running: list[str] = []
    began: list[float] = []
    ahead = iter(enumerate(shares))
    sizes: dict[str, float] = {}
    for _ in range(20 * len(shares)):
        while len(waiting) < 10 and not queue.blocked and (following := next(ahead, None)) is not None:
            trial = str(following[0])
            sizes[trial] = following[1]
            queue.add(trial, following[1])
            waiting.append(trial)
        fits = next((trial for trial in waiting if sum(sizes[other] for other in running) + sizes[trial] <= gpu), None)
        if fits is None:
            running[:1] = []
            continue
        queue.serve(fits)
        waiting.remove(fits)
        running.append(fits)
        began.append(sizes[fits])
    return began


def test_a_whole_gpu_is_had_in_time_however_many_eighths_are_asked_for() -> None:
    shares = [0.125] * 8 + [1.0] + [0.125] * 400
    assert served(FairQueue(most=10**9), shares)[-1] == 1  # left to itself the large job comes last
    began = served(FairQueue(most=16), shares)
    assert sorted(began) == sorted(shares)
    assert began.index(1.0) < 8 + 16 + 10 + 1


def test_who_asked_later_is_overtaken_by_nobody() -> None:
    queue = FairQueue(most=1)
    queue.add("small", 0.125)
    queue.add("large", 1.0)
    queue.serve("small")
    assert not queue.blocked
    queue.add("small too", 0.125)
    queue.serve("small too")
    assert queue.blocked
    queue.remove("large")
    assert not queue.blocked


@pytest.fixture
def searcher(tmp_path: Path) -> Iterator[JobSearcher]:
    """A driver's, on one GPU of 80 GiB, with nothing measured yet; no failure is forgiven."""
    jobs = (evaluate_job(FULL), evaluate_job(FULL, repeat=1))
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as store:
        record_sweep(store, name="small", space_text="", jobs=(FULL, *jobs))
        recorder = Recorder(store, sweep="small", artifacts=Artifacts(tmp_path / "artifacts"))
        sweep = SweepRun(JobQueue(jobs, max_failures=0), recorder, jobs, known=(FULL, *jobs))
        allocator = GpuAllocator(Resources(), GpuPacking(gpu_memory=80 * GIB), gpus=1, slots=1, most=8)
        yield JobSearcher(sweep, Folders(str(tmp_path / "artifacts"), None), Resources(), allocator=allocator)


def begun(searcher: JobSearcher, trial: str) -> dict[str, Any]:
    config: dict[str, Any] = searcher.suggest(trial)
    searcher.begin(trial)
    return config


def done(searcher: JobSearcher, trial: str, config: dict[str, Any], *, peak_memory: int) -> None:
    job = Job.model_validate_json(config["jobs"][0])
    folder = Artifacts(config["artifacts"]).folder(job.key)
    folder.begin(job)
    folder.commit(result_of(job).model_copy(update={"peak_memory": peak_memory}))
    searcher.on_trial_result(trial, {"done_jobs": ({"key": job.key, "peak_memory": peak_memory, "seconds": 1.0},)})
    searcher.on_trial_complete(trial)


def test_the_first_of_a_kind_has_a_gpu_for_itself_and_the_next_ones_and_the_next_sweep_know_what_it_took(
    searcher: JobSearcher, tmp_path: Path
) -> None:
    first = begun(searcher, "one")
    assert (first["gpus"], first["device"]) == (1.0, "cuda")
    done(searcher, "one", first, peak_memory=5 * GIB)
    assert begun(searcher, "two")["gpus"] == 0.125
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=False) as store:
        (footprint,) = recent_footprints(store)
    assert (footprint.spec.stage, footprint.model, footprint.peak_memory) == ("evaluate", MODEL, 5 * GIB)


def test_a_job_that_ran_out_of_its_share_gets_a_gpu_then_smaller_passes_and_only_then_fails(searcher: JobSearcher, tmp_path: Path) -> None:
    done(searcher, "one", begun(searcher, "one"), peak_memory=GIB)
    seen = []
    for trial in "abcde":
        if not isinstance(config := searcher.suggest(trial), dict):
            break
        searcher.begin(trial)
        seen.append((config["gpus"], config["examples_per_pass"]))
        said = {"error": "ShortOfMemoryError: too small", "traceback": "", "damaged": None, "short_of_memory": True}
        searcher.on_trial_result(trial, said)
        searcher.on_trial_complete(trial, error=True)
    assert seen == [(0.125, None), (1.0, None), (1.0, 2), (1.0, 1)]
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=False) as store:
        assert [failure.error for failure in failures(store, "small")] == ["ShortOfMemoryError: too small"]


def test_a_training_with_several_gpus_has_a_process_on_each_and_no_other_job_has() -> None:
    resources = Resources(gpus_per_train=4, gpus_per_attack=2)
    assert [resources.processes(stage) for stage in ("pretrain", "fine_tune", "attack", "defend")] == [4, 4, 1, 1]
    assert Resources().processes("pretrain") == Resources(gpus_per_train=0.5).processes("pretrain") == 1
    with pytest.raises(UserError, match=r"^--gpus-per-train 1\.5: must be a share of one GPU, or a whole number$"):
        Resources(gpus_per_train=1.5)
