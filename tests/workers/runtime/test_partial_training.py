"""Trainings that stop early, and trainings that go on from where others stopped."""

import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.builders import defend_job, evaluate_job
from tests.workers.runtime.chain import train_job
from workers.artifacts.artifacts import CHECKPOINT, Artifacts
from workers.artifacts.outcomes import EpochRecord, Result, TrainOutcome
from workers.runtime.run import RunSettings, run
from workers.spec.component import UNDEFENDED, DefenceSpec
from workers.spec.job import JOB, Earlier, Job
from workers.spec.stage_specs import TrainSpec
from workers.spec.training import TrainingSpec

EPOCHS = 3
ADAM = {"optimizer": "adam", "learning_rate": 0.01}
DROPOUT = DefenceSpec(name="defensive_dropout")
PGD = {"adversarial_training": "pgd", "adversarial_steps": (1, 2), "learning_rate": 0.02}


class KilledError(Exception):
    """Stands for the SIGKILL that ends an attempt."""


def training(**more: object) -> TrainingSpec:
    return TrainingSpec(**{"epochs": EPOCHS, "batch_size": 20, **more})


def rung(job: Job, until: int | None, *, resumes: Earlier | None = None) -> Job:
    spec = TrainSpec(**dict(job.spec) | {"until": until})
    return Job(spec=spec, parents=job.parents, resumes=resumes)


def after(job: Job) -> Earlier:
    """The hint to go on from this rung."""
    assert isinstance(job.spec, TrainSpec)
    return Earlier(key=job.key, epochs=job.spec.last_epoch)


def trained(result: Result) -> TrainOutcome:
    assert isinstance(result.outcome, TrainOutcome)
    return result.outcome


def weights(root: Path, job: Job) -> bytes:
    return Artifacts(root).read(job.key, "model.safetensors")


def epochs_of(job: Job, root: Path) -> list[int]:
    """The epochs that running the job trains."""
    reported: list[int] = []
    run(job, RunSettings(root), report=lambda record: reported.append(record.epoch) if isinstance(record, EpochRecord) else None)
    return reported


KINDS = [
    pytest.param({}, {}, UNDEFENDED, id="sgd"),
    pytest.param({}, ADAM, UNDEFENDED, id="adam"),
    pytest.param({"theta": 0.8}, PGD, UNDEFENDED, id="adversarial training under a sketch"),
    pytest.param({"theta": 0.8}, {"schedule": "step", "horizontal_flip": False}, DROPOUT, id="trained-in defence"),
]


@pytest.mark.parametrize(("model", "more", "defence"), KINDS)
def test_a_training_that_goes_on_from_rungs_ends_bit_for_bit_as_the_uninterrupted_one(tmp_path, model, more, defence):
    parent = train_job(training=training(epochs=1), defence=defence, **{**model, "theta": 1.0}) if model.get("theta", 1) < 1 else None
    job = train_job(parent=parent, training=training(**more), defence=defence, **model)
    whole, stepwise = tmp_path / "whole", tmp_path / "stepwise"
    for root in (whole, stepwise):
        if parent is not None:
            run(parent, RunSettings(root))
    first = rung(job, 1)
    second = rung(job, 2, resumes=after(first))
    last = rung(job, None, resumes=after(second))
    assert last.key == job.key
    assert [epochs_of(step, stepwise) for step in (first, second, last)] == [[1], [2], [3]]
    result = run(job, RunSettings(whole))
    again = Artifacts(stepwise).result(job.key)
    assert trained(again).history == trained(result).history
    assert len(trained(again).history) == EPOCHS
    assert weights(stepwise, job) == weights(whole, job)
    assert (trained(result).resumed, trained(again).resumed) == (None, second.key)
    assert [trained(Artifacts(stepwise).result(step.key)).resumed for step in (first, second)] == [None, first.key]


def test_a_rung_is_the_first_epochs_of_the_whole_training_with_or_without_a_hint(tmp_path):
    job = train_job(training=training())
    history = trained(run(job, RunSettings(tmp_path / "whole"))).history
    alone = rung(job, 2)
    assert trained(run(alone, RunSettings(tmp_path / "alone"))).history == history[:2]
    first = rung(job, 1)
    run(first, RunSettings(tmp_path / "rungs"))
    assert epochs_of(rung(job, 2, resumes=after(first)), tmp_path / "rungs") == [2]
    assert weights(tmp_path / "rungs", alone) == weights(tmp_path / "alone", alone)
    assert weights(tmp_path / "alone", alone) != weights(tmp_path / "whole", job)


def test_only_a_rung_keeps_its_checkpoint_and_its_model_is_evaluated_as_any(tmp_path):
    job = train_job(training=training(epochs=2))
    first = rung(job, 1)
    for done in (first, job):
        run(done, RunSettings(tmp_path))
    assert (Artifacts(tmp_path).checkpoint_size(first.key) > 0, Artifacts(tmp_path).checkpoint_size(job.key)) == (True, 0)
    assert run(evaluate_job(first, examples=20), RunSettings(tmp_path)).outcome.n_examples == 20
    defended = defend_job(first)
    assert defended.spec.until == 1
    run(defended, RunSettings(tmp_path))
    assert weights(tmp_path, defended) == weights(tmp_path, first)


@pytest.mark.parametrize("spoilt", ["missing", "corrupt", "of another training", "too far"])
def test_a_hint_that_leads_nowhere_changes_nothing(tmp_path, spoilt):
    job = train_job(training=training(epochs=2))
    hinted = rung(train_job(training=training(epochs=2, learning_rate=0.05)) if spoilt == "of another training" else job, 1)
    wanted, resumes = job, after(hinted)
    if spoilt != "missing":
        run(hinted, RunSettings(tmp_path))
    if spoilt == "corrupt":
        path = tmp_path / hinted.key / CHECKPOINT
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    if spoilt == "too far":
        long = train_job(training=training(epochs=3))
        hinted, wanted = rung(long, 2), rung(long, 1)
        run(hinted, RunSettings(tmp_path))
        resumes = after(hinted)
    result = run(wanted.model_copy(update={"resumes": resumes}), RunSettings(tmp_path))
    assert trained(result).resumed is None
    assert trained(result).history == trained(run(wanted, RunSettings(tmp_path / "plain"))).history
    assert weights(tmp_path, wanted) == weights(tmp_path / "plain", wanted)


def test_a_killed_training_goes_on_from_its_own_last_epoch_and_remembers_the_rung(tmp_path):
    job = train_job(training=training())
    first = rung(job, 1)
    run(first, RunSettings(tmp_path))
    resumed = job.model_copy(update={"resumes": after(first)})

    def kill(record: object) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        run(resumed, RunSettings(tmp_path), report=kill)
    shutil.rmtree(tmp_path / first.key)
    assert epochs_of(job, tmp_path) == [3]
    assert trained(Artifacts(tmp_path).result(job.key)).resumed == first.key


def test_a_rung_that_lost_its_checkpoint_is_done_all_the_same(tmp_path):
    first = rung(train_job(training=training(epochs=2)), 1)
    run(first, RunSettings(tmp_path))
    Artifacts(tmp_path).drop_checkpoint(first.key)
    assert epochs_of(first, tmp_path) == []
    assert weights(tmp_path, first)


def test_the_hint_is_no_part_of_the_key_and_all_of_the_epochs_are_no_rung():
    job = train_job(training=training())
    assert rung(job, EPOCHS) == rung(job, None) == job
    assert rung(job, 2, resumes=Earlier(key="a" * 64, epochs=1)).key == rung(job, 2).key != job.key
    assert rung(job, 2).trunk_key == rung(job, 1).trunk_key == job.trunk_key == job.key
    copied = job.model_copy(update={"spec": rung(job, 2).spec})
    assert (copied.key, copied.trunk_key) == (rung(job, 2).key, job.key)
    assert JOB.validate_json(JOB.dump_json(rung(job, 2, resumes=Earlier(key="a" * 64, epochs=1)))).resumes == Earlier(
        key="a" * 64, epochs=1
    )
    measured = evaluate_job(job)
    assert measured.trunk_key == measured.key


@pytest.mark.parametrize(("until", "said"), [(4, r"until=4: must be in \[1, 3\]"), (0, r"must be >= 1")])
def test_a_rung_beyond_the_schedule_is_refused(until, said):
    with pytest.raises(ValidationError, match=said):
        rung(train_job(training=training()), until)
