"""A training in two processes: what one gives, up to rounding; and what becomes of it when one of them is killed."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load

from tests.workers.runtime.chain import train_job
from workers.artifacts.artifacts import CHECKPOINT, MODEL_FILE, Artifacts
from workers.artifacts.outcomes import BatchRecord, EpochRecord, TrainOutcome
from workers.errors import JobError
from workers.runtime.run import RunSettings, run
from workers.spec.job import Job
from workers.spec.training import TrainingSpec

TRAINING = TrainingSpec(epochs=3, batch_size=20, learning_rate=0.01, adversarial_training="r_fgsm", horizontal_flip=True)


def trained(job: Job, root: Path, *, processes: int) -> tuple[list[EpochRecord], dict[str, torch.Tensor]]:
    outcome = run(job, RunSettings(root, processes=processes)).outcome
    assert isinstance(outcome, TrainOutcome)
    return outcome.history, load(Artifacts(root).read(job.key, MODEL_FILE))


@pytest.mark.slow  # quicker, and in double precision: tests/workers/train/test_group.py
def test_two_processes_train_what_one_does(tmp_path: Path) -> None:
    """Without an attack, whose signs would make rounding large."""
    job = train_job(training=TRAINING.model_copy(update={"epochs": 1, "adversarial_training": "none"}))
    (one, weights), (two, shared) = (trained(job, tmp_path / str(number), processes=number) for number in (1, 2))
    assert two[0].loss == pytest.approx(one[0].loss, rel=1e-3)
    assert two[0].learning_rate == one[0].learning_rate
    assert weights.keys() == shared.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(shared[name], tensor, rtol=1e-2, atol=1e-3, msg=name)


@pytest.mark.slow
def test_a_killed_process_ends_the_attempt_and_the_next_one_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    job = train_job(training=TRAINING)
    reported: list[int] = []

    def kill_one(record: EpochRecord | BatchRecord) -> None:
        assert isinstance(record, EpochRecord)
        reported.append(record.epoch)
        os.kill(max(child.pid for child in multiprocessing.active_children()), signal.SIGKILL)

    with pytest.raises(JobError, match=r"^process 2 of 2 of the training was killed \(signal 9\)$"):
        run(job, RunSettings(tmp_path / "killed", processes=2), report=kill_one)
    assert not multiprocessing.active_children()
    assert CHECKPOINT in Artifacts(tmp_path / "killed").files(job.key)
    again: list[int] = []
    run(job, RunSettings(tmp_path / "killed", processes=2), report=lambda record: again.append(record.epoch))
    assert reported[0] == 1
    assert again in ([2, 3], [3])  # the second epoch may have been saved before the process was dead
    undisturbed = trained(job, tmp_path / "undisturbed", processes=2)
    history, weights = trained(job, tmp_path / "killed", processes=2)
    assert history == undisturbed[0]
    assert all(torch.equal(weights[name], tensor) for name, tensor in undisturbed[1].items())


@pytest.mark.slow
def test_an_error_of_the_training_is_that_of_one_process(tmp_path: Path) -> None:
    diverging = train_job(training=TrainingSpec(epochs=1, batch_size=20, learning_rate=1e30))
    with pytest.raises(JobError, match="try a learning_rate below"):
        run(diverging, RunSettings(tmp_path, processes=2))
    with pytest.raises(JobError, match=r"^batch_size=2: must be at least the number of processes, 3$"):
        run(train_job(training=TrainingSpec(epochs=1, batch_size=2)), RunSettings(tmp_path, processes=3))
