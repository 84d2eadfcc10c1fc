"""What attacks keep of their first examples."""

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from tests.builders import attack_job, attack_settings
from tests.workers.runtime.chain import train_job
from workers.artifacts.artifacts import KEPT_FILE, Artifacts
from workers.runtime.run import RunSettings, run
from workers.runtime.stored_models import load_model
from workers.spec.job import Job
from workers.spec.training import TrainingSpec

FULL = train_job(training=TrainingSpec(epochs=1, batch_size=20))
SKETCHED = train_job(theta=0.8, parent=FULL, training=TrainingSpec(epochs=1, batch_size=20))
PGD = attack_settings(name="pgd", epsilon=16 / 255, steps=2)


def keeping(model: Job, *, count: int = 5, draws: int = 1, **parents: Job) -> Job:
    spec = attack_job(model, attack=PGD, examples=12, batch_size=4, draws=draws).spec
    return Job.of(spec.model_copy(update={"keep_examples": count}), model=model, **parents)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("artifacts")
    for job in (FULL, SKETCHED):
        run(job, RunSettings(root))
    return root


def kept(root, job: Job) -> dict[str, np.ndarray]:
    run(job, RunSettings(root))
    return load(Artifacts(root).read(job.key, KEPT_FILE))


def test_the_first_examples_are_kept_as_they_were_evaluated(root):
    job = keeping(FULL)
    found = kept(root, job)
    assert found["places"].tolist() == [0, 1, 2, 3, 4]
    distance = np.abs(found["adversarial"] - found["clean"]).max()
    assert 15 / 255 < distance <= 16 / 255 + 1e-6
    network, _ = load_model(Artifacts(root), FULL.key)
    with torch.no_grad():
        again = {name: network(torch.from_numpy(found[name])).softmax(1).numpy() for name in ("clean", "adversarial")}
    np.testing.assert_allclose(found["clean_probabilities"], again["clean"], atol=1e-6)
    np.testing.assert_allclose(found["probabilities"], again["adversarial"], atol=1e-6)
    flags = Artifacts(root).result(job.key).outcome.correct()[0, :5]
    assert ((found["probabilities"].argmax(1) == found["labels"]) == flags).all()


def test_a_randomised_net_s_probabilities_are_means_over_fresh_draws(root):
    found = kept(root, keeping(SKETCHED, draws=3))
    np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert found["probabilities"].shape == (5, 10)


def test_an_attack_on_survivors_keeps_the_first_of_these(root):
    before = attack_job(FULL, attack=attack_settings(name="noise", epsilon=1 / 255), examples=12, batch_size=4)
    left = np.flatnonzero(run(before, RunSettings(root)).outcome.correct()[0])
    assert len(left)
    found = kept(root, keeping(FULL, count=3, survivors=before))
    assert found["places"].tolist() == left[:3].tolist()


def test_nothing_is_kept_unless_it_is_asked_for(root):
    job = attack_job(FULL, attack=PGD, examples=12, batch_size=4)
    assert KEPT_FILE not in run(job, RunSettings(root)).files
    assert job.key != keeping(FULL).key
