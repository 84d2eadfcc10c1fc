import os
from pathlib import Path

import pytest

from tests.workers.small import CPU, data_set, generator
from workers.artifacts.artifacts import Artifacts
from workers.data.loading.device_split import DeviceSplit
from workers.measure.evaluate import attacker, correct_flags
from workers.models.network import build
from workers.spec.attack import AttackSettings
from workers.spec.model import ModelSpec
from workers.spec.training import TrainingSpec
from workers.train import Checkpoint, train

DATA = os.environ.get("ROBUSTSWEEP_DATA")
EPSILON = 8 / 255
ATTACK = AttackSettings(name="pgd", epsilon=EPSILON, epsilon_literal="8/255", steps=10, abs_stepsize=1 / 255)
CIFAR10 = data_set("cifar10")


def accuracies(folder: Path, kind: str) -> tuple[float, float]:
    """Clean accuracy, and robust accuracy at 8/255, of a narrow net trained on 3,000 images."""
    dataset = CIFAR10.load(Path(str(DATA)))
    data, test = DeviceSplit.put(dataset.train.first(3000), CPU), DeviceSplit.put(dataset.test.first(300), CPU)
    net = build(ModelSpec(width=8, rank_fraction=1.0), CIFAR10.info, seed=1)
    spec = TrainingSpec(epochs=8, batch_size=100, horizontal_flip=True, adversarial_training=kind, adversarial_steps=(1, 4))
    attack = None if kind == "none" else generator(4)
    train(net, data, spec, order=generator(3), checkpoint=Checkpoint(Artifacts(folder).folder("job")), report=[].append, attack=attack)
    net.eval().requires_grad_(False)
    perturb = attacker(net, ATTACK, generator=generator(5))
    clean, robust = (correct_flags(net, test, batch_size=100, perturb=chosen).mean() for chosen in (None, perturb))
    return float(clean), float(robust)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(DATA is None, reason="ROBUSTSWEEP_DATA names no data root with CIFAR-10")
def test_adversarial_training_makes_a_net_more_robust_on_real_images(tmp_path):
    found = {kind: accuracies(tmp_path / kind, kind) for kind in ("none", "pgd")}
    print(found)
    assert found["pgd"][1] > found["none"][1] + 0.1
    assert found["pgd"][0] > 0.2
