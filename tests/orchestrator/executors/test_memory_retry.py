"""Jobs that run out of memory: alone on a GPU, then in smaller passes, to the same rows; a training only says what would help."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from orchestrator.executors.base import Folders, Resources
from orchestrator.executors.inline import InlineExecutor
from orchestrator.executors.memory_retry import OutOfMemoryRetry, RetryLimits
from orchestrator.executors.ray_tune.ray_executor import RayExecutor
from orchestrator.executors.ray_tune.trainable import run_job_trainable
from orchestrator.launching.launch import LaunchOptions, MakeExecutor, launch
from orchestrator.paths import Paths
from orchestrator.store import ResultRow, failures, open_store, result_rows
from tests.builders import attack_job, diagnose_job, evaluate_job, pretrain_job, surface_job
from tests.commands import attempts, write_space
from workers.models.network import Network
from workers.spec.job import Job

FULL = pretrain_job()
SPACE = """
data: {name: digits, train_examples: 64}
model: {width: 2, theta: 0.8, draws: example}
training: {epochs: 1, batch_size: 32}
fine_tuning: {epochs: 1}
evaluation: {examples: 24, batch_size: 12, repeats: 1}
attacks:
  - {attack: pgd, steps: 3, eot_samples: 2, epsilon: 8/255, knowledge: eot}
  - {attack: fgsm, epsilon: 8/255, knowledge: omniscient}
"""
HELD = 5  # examples that fit


def starve(patch: Callable[[type, str, Any], None], *, training: bool = False) -> None:
    """From now on passes of more than `HELD` examples do not fit into memory; those of a training too, if so asked."""
    whole = Network._pass

    def starved(network: Network, inputs: torch.Tensor) -> torch.Tensor:
        if len(inputs) > HELD and (training or not network.training) and len(inputs) != 8:  # which the check of the sketch has
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has a total capacity of 16 GiB")
        return whole(network, inputs)

    patch(Network, "_pass", starved)


def starved_attempt(config: dict[str, Any]) -> None:
    """In a worker process of Ray's."""
    with pytest.MonkeyPatch.context() as patch:
        starve(patch.setattr)
        run_job_trainable(config)


def run(folder: Path, *, executor: MakeExecutor = InlineExecutor) -> int:
    folder.mkdir(exist_ok=True)
    paths = Paths.resolve(home=folder / "sweeps", store=None)
    options = LaunchOptions(str(write_space(folder, SPACE)), paths, executor=executor, max_failures=0)
    return launch(options, Console(quiet=True))


def rows(folder: Path) -> list[ResultRow]:
    with open_store(f"sqlite:///{folder}/sweeps/results.db", upgrade=False) as store:
        return result_rows(store, "tiny", per_repeat=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[ResultRow]:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run(folder) == 0
    return rows(folder)


def test_measurements_that_run_out_of_memory_end_in_the_same_rows_without_a_failure_that_counts(
    tmp_path: Path, undisturbed: list[ResultRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    starve(monkeypatch.setattr)
    assert run(tmp_path) == 0
    assert rows(tmp_path) == undisturbed
    tried = sorted(attempts(tmp_path).values())
    assert ["failed", "failed", "done"] in tried
    assert ["done"] in tried  # the trainings
    with open_store(f"sqlite:///{tmp_path}/sweeps/results.db", upgrade=False) as store:
        assert not list(failures(store, "tiny"))


@pytest.mark.slow  # each attempt that fails takes its process with it
def test_so_do_they_on_ray(tmp_path: Path, undisturbed: list[ResultRow]) -> None:
    def on_ray(folders: Folders, resources: Resources) -> RayExecutor:
        return RayExecutor(folders, resources, work=starved_attempt)

    assert run(tmp_path, executor=on_ray) == 0
    assert rows(tmp_path) == undisturbed
    assert ["failed", "failed", "done"] in attempts(tmp_path).values()


def test_a_training_that_does_not_fit_is_tried_once_more_and_then_says_what_would_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starve(monkeypatch.setattr, training=True)
    assert run(tmp_path) == 1
    with open_store(f"sqlite:///{tmp_path}/sweeps/results.db", upgrade=False) as store:
        (failure,) = failures(store, "tiny")
    assert "too small for batch_size=32" in failure.error
    assert "cannot be divided" in failure.error
    assert "20.00 GiB" in failure.traceback
    assert list(attempts(tmp_path).values()) == [["failed", "failed"]]


@pytest.mark.parametrize(
    ("job", "sizes"),
    [
        (evaluate_job(FULL, batch_size=256), [64, 16, 4]),
        (attack_job(FULL, batch_size=12), [3, 1]),
        (diagnose_job(FULL), [2, 1]),
        (surface_job(FULL), [64, 16, 4]),
        (FULL, []),
    ],
    ids=["evaluate", "attack", "diagnose", "surface", "train"],
)
def test_a_job_gets_a_whole_gpu_first_then_smaller_passes_and_at_last_no_more(job: Job, sizes: list[int]) -> None:
    retry = OutOfMemoryRetry()
    seen = [retry.limits(job)]
    while retry.next_limits(job):
        seen.append(retry.limits(job))
    assert seen == [RetryLimits(), RetryLimits(whole=True), *(RetryLimits(whole=True, examples_per_pass=size) for size in sizes)]
    assert retry.next_limits(job) is None
    assert retry.limits(job) == seen[-1]


def test_relief_is_for_the_job_that_needs_it_alone() -> None:
    retry, job = OutOfMemoryRetry(), evaluate_job(FULL)
    retry.next_limits(job)
    assert retry.limits(evaluate_job(FULL, repeat=1)) == RetryLimits()
