"""What is measured after each epoch: on held-out examples, and against overfitting to one-step attacks; it changes no training."""

import pytest

from orchestrator.naming.names import result_in_words
from tests.builders import pretrain_job, result_of
from tests.workers.small import DIGITS, generator, same_state, split
from workers.artifacts.artifacts import Artifacts
from workers.artifacts.outcomes import EpochRecord, TrainOutcome
from workers.models.network import build
from workers.spec.model import ModelSpec
from workers.spec.training import TrainingSpec
from workers.train import Checkpoint, train

HELD_OUT = split(16)


def trained(folder, *, validation=None, **settings):
    net = build(ModelSpec(width=2, theta=0.8), DIGITS.info, seed=1)
    net.seed(2)
    spec = TrainingSpec(epochs=2, batch_size=12, learning_rate=0.01, **settings)
    attack = None if spec.adversarial_training == "none" else generator(4)
    history = train(
        net,
        split(24, part="train"),
        spec,
        order=generator(3),
        checkpoint=Checkpoint(Artifacts(folder).folder("job")),
        report=lambda _: None,
        attack=attack,
        validation=validation,
    )
    return net, history


def test_held_out_examples_are_measured_clean_and_attacked_and_the_training_is_the_same(tmp_path):
    settings = {"adversarial_training": "pgd", "adversarial_steps": (1, 2)}
    plain, before = trained(tmp_path / "plain", **settings)
    watched, history = trained(tmp_path / "watched", validation=HELD_OUT, **settings)
    assert same_state(plain, watched)
    assert [record.loss for record in history] == [record.loss for record in before]
    assert all(record.validation_pgd_accuracy <= record.validation_accuracy + 0.2 for record in history)
    assert {record.pgd_accuracy for record in history} == {None}
    assert {record.validation_accuracy for record in before} == {None}


def test_one_step_attacks_are_compared_with_several(tmp_path):
    _, history = trained(tmp_path, adversarial_training="rs_fgsm", adversarial_stepsize=1.25)
    assert all(0 <= record.pgd_accuracy <= 1 for record in history)
    assert {record.validation_accuracy for record in history} == {None}


@pytest.mark.parametrize(("left", "said"), [(0.39, True), (0.41, False), (None, False)])
def test_catastrophic_overfitting_is_less_than_half_of_the_accuracy_under_several_steps(left, said):
    record = EpochRecord(epoch=7, loss=1.0, accuracy=0.8, learning_rate=0.1, pgd_accuracy=left)
    assert record.is_overfitted == said
    outcome = TrainOutcome(history=[record], ranks={}, n_parameters=1)
    result = result_of_training(outcome)
    words = "; catastrophic overfitting since epoch 7: of its accuracy PGD leaves 39.0%"
    assert result_in_words(result, stage="pretrain") == "trained, training accuracy 80.0%" + (words if said else "")


def result_of_training(outcome):
    return result_of(pretrain_job()).model_copy(update={"outcome": outcome})
