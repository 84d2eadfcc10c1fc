import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.builders import attack_job, attack_settings, craft_job, evaluate_job
from tests.kept_files import kept
from tests.workers.runtime.chain import run_all
from tests.workers.small import data_set
from workers.spec.component import DataSpec
from workers.spec.job import Job
from workers.spec.model import ModelSpec
from workers.spec.stage_specs import TrainSpec
from workers.spec.training import TrainingSpec

FGSM = attack_settings(epsilon=0.032, epsilon_literal="0.032")
DATA = DataSpec(name="tones", train_examples=96)


def train_job(theta, parent=None):
    training = TrainingSpec(epochs=2, batch_size=24, learning_rate=0.05)
    model = ModelSpec(name="soundnet5", width=2, theta=theta, rank_fraction=1.0)
    spec = TrainSpec(stage="fine_tune" if parent else "pretrain", data=DATA, model=model, training=training)
    return Job(spec=spec, parents={"weights": parent.key} if parent else {})


FULL = train_job(1.0)
MODEL = train_job(0.9, FULL)
CRAFT = craft_job(MODEL, attack=FGSM, examples=24)
MEASURED = [
    evaluate_job(MODEL, examples=24),
    attack_job(MODEL, attack=FGSM, examples=24),
    attack_job(MODEL, attack=FGSM, crafted=CRAFT, examples=24),
]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return run_all([FULL, MODEL, CRAFT, *MEASURED], tmp_path_factory.mktemp("artifacts"))


def test_a_sketched_soundnet5_is_trained_crafted_for_and_attacked(done):
    assert done[MODEL].outcome.ranks["features.4"] == [4, 2, 32]
    assert [done[job].outcome.n_examples for job in (CRAFT, *MEASURED)] == [24] * 4


def test_an_attack_on_waveforms_says_how_loud_they_are_over_their_perturbations(done):
    examples = load_file(kept(done.root, CRAFT.key, "examples.safetensors"))["examples"]
    clean = data_set("tones").load(None).test.first(24).inputs / np.float32(32_768)
    lengths = [np.linalg.norm(waveforms[:, 0].astype(np.float64), axis=1) for waveforms in (clean, examples - clean)]
    evaluated, randomized, omniscient = (done[job].outcome.metrics.get("snr_db") for job in MEASURED)
    assert evaluated is None
    assert omniscient == pytest.approx(np.median(20 * np.log10(lengths[0] / lengths[1])), abs=1e-3)
    assert randomized == pytest.approx(omniscient, abs=1.0)


def test_crafted_waveforms_lie_in_the_ball_and_are_not_cut_off_at_zero(done):
    examples = load_file(kept(done.root, CRAFT.key, "examples.safetensors"))["examples"]
    clean = data_set("tones").load(None).test.first(24).inputs / np.float32(32_768)
    assert examples.shape == (24, 1, 16_000)
    assert np.abs(examples - clean).max() == pytest.approx(0.032, abs=1e-6)
    assert examples.min() < -0.1
