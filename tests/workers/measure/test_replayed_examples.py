"""Examples that were made on one model and are tried on another: which are replayed, and which are refused."""

import shutil
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from safetensors.torch import load_file

from tests.builders import attack_job, attack_settings, craft_job, transfer_job
from tests.kept_files import kept
from tests.workers.runtime.chain import CRAFT, FULL, MODEL, PGD, run_all, train_job
from tests.workers.small import network, split
from workers.artifacts.artifacts import Artifacts
from workers.errors import ArtifactError, UserError
from workers.measure.evaluate import correct_flags, replayer
from workers.runtime.run import RunSettings, run
from workers.spec.component import DataSpec
from workers.spec.job import JOB, Job
from workers.spec.keys import derive_seed
from workers.spec.training import TrainingSpec

ROOT = Path(__file__).parents[3]
EXAMPLES = 20
ON_FULL = craft_job(FULL, attack=PGD, examples=EXAMPLES)
TRANSFER = transfer_job(MODEL, attack=PGD, crafted=ON_FULL, source=FULL, examples=EXAMPLES)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return run_all([FULL, MODEL, ON_FULL, CRAFT, TRANSFER], tmp_path_factory.mktemp("artifacts"))


@pytest.fixture
def parents(done, tmp_path):
    """A fresh root in which the models and the examples are done."""
    for job in (FULL, MODEL, ON_FULL, CRAFT):
        shutil.copytree(done.root / job.key, tmp_path / job.key)
    return tmp_path


def test_a_transfer_replays_the_sources_examples_on_the_model_under_its_live_sketch(done):
    examples = load_file(kept(done.root, ON_FULL.key, "examples.safetensors"))["examples"]
    net = network(width=4, theta=0.8)
    net.load_state_dict(load_file(kept(done.root, MODEL.key, "model.safetensors")))
    net.seed(derive_seed(TRANSFER.seed_key, "sketch"))
    flags = correct_flags(net, split(EXAMPLES), batch_size=8, perturb=replayer(examples, epsilon=PGD.epsilon))
    assert done[TRANSFER].outcome.correct().tolist() == flags.tolist()
    own = load_file(kept(done.root, CRAFT.key, "examples.safetensors"))["examples"]
    assert not np.array_equal(examples, own)


def test_repeats_of_a_transfer_see_the_same_examples_under_fresh_sketches(parents):
    settings = attack_settings(name="pgd", epsilon=0.1, steps=2)
    crafted = craft_job(FULL, attack=settings, examples=200, batch_size=50)
    jobs = [
        transfer_job(MODEL, attack=settings, crafted=crafted, source=FULL, repeat=repeat, examples=200, batch_size=50)
        for repeat in range(3)
    ]
    results = run_all([crafted, *jobs], parents)
    assert len({results[job].outcome.flags for job in jobs}) == len(jobs)


@pytest.mark.slow  # eight trainings; what is replayed on what is seen by the tests above
def test_transferred_examples_fool_undefended_nets_more_often_than_noise(tmp_path):
    """On average over nets: a single pair may be unlike."""
    training, data = TrainingSpec(epochs=5, batch_size=15), DataSpec(name="digits", train_examples=300)
    pgd, noise = (attack_settings(name=name, epsilon=0.2, steps=steps) for name, steps in (("pgd", 5), ("noise", 1)))
    noisy, transferred = [], []
    for seed in range(4):
        plain = [train_job(training=training, tensorized=tensorized) for tensorized in (True, False)]
        target, source = (job.model_copy(update={"spec": job.spec.model_copy(update={"data": data, "seed": seed})}) for job in plain)
        crafted = craft_job(source, attack=pgd, examples=60, batch_size=60)
        transfer = transfer_job(target, attack=pgd, crafted=crafted, source=source, examples=60, batch_size=60)
        baseline = attack_job(target, attack=noise, examples=60, batch_size=60)
        done = run_all([target, source, crafted, transfer, baseline], tmp_path)
        noisy.append(done[baseline].outcome.accuracy)
        transferred.append(done[transfer].outcome.accuracy)
    assert fmean(noisy) > 0.6
    assert fmean(transferred) < fmean(noisy) - 0.1  # 0.17 was seen, 0.13 to 0.2 in single pairs


def without(job, role):
    return Job(spec=job.spec, parents={name: key for name, key in job.parents.items() if name != role})


@pytest.mark.parametrize("role", ["examples", "source"])
def test_a_transfer_without_one_of_its_parents_is_refused(parents, role):
    with pytest.raises(UserError, match=f"stage attack needs a parent in role '{role}'"):
        run(without(TRANSFER, role), RunSettings(parents))


def test_a_transfer_from_the_attacked_model_itself_is_refused_since_it_is_none(parents):
    job = transfer_job(MODEL, attack=PGD, crafted=CRAFT, source=MODEL, examples=EXAMPLES)
    with pytest.raises(UserError, match=r"knowledge=transfer: its source is the attacked model itself, which is knowledge=omniscient"):
        run(job, RunSettings(parents))


OTHER_STEPS = attack_settings(name="pgd", epsilon=8 / 255, steps=4)
MISMATCHED = [
    (transfer_job(MODEL, attack=PGD, crafted=CRAFT, source=FULL, examples=EXAMPLES), f"made on model {MODEL.key}, not model {FULL.key}"),
    (attack_job(MODEL, attack=PGD, crafted=ON_FULL, examples=EXAMPLES), f"made on model {FULL.key}, not model {MODEL.key}"),
    (
        transfer_job(MODEL, attack=PGD, crafted=ON_FULL, source=FULL, examples=16),
        "of the first 20 test examples, not the first 16 test examples",
    ),
    (
        transfer_job(MODEL, attack=OTHER_STEPS, crafted=ON_FULL, source=FULL, examples=EXAMPLES),
        f"by steps=2 abs_stepsize={PGD.settings.abs_stepsize}, not steps=4 abs_stepsize={OTHER_STEPS.settings.abs_stepsize}",
    ),
    (transfer_job(MODEL, attack=PGD, crafted=FULL, source=FULL, examples=EXAMPLES), "a pretrain job has no examples"),
    (transfer_job(MODEL, attack=PGD, crafted=ON_FULL, source=CRAFT, examples=EXAMPLES), "a craft job has no model"),
]


@pytest.mark.parametrize(("job", "message"), MISMATCHED, ids=["other model", "omniscient", "examples", "attack", "stage", "source"])
def test_examples_that_were_not_made_for_the_attack_are_refused_in_one_line(parents, job, message):
    with pytest.raises(ArtifactError) as raised:
        run(job, RunSettings(parents))
    assert message in str(raised.value)
    assert str(raised.value).startswith(tuple(f"job {parent}: " for parent in job.parents.values()))
    assert "\n" not in str(raised.value)
    assert job.key not in Artifacts(parents).finished()


def as_if_trained_on(data, folder, job):
    """Change what `job.json` in the folder says of the data; keys and weights stay, as an artifact root put together wrongly would have."""
    spec = job.spec.model_copy(update={"data": data})
    other = Job(spec=spec, parents=job.parents)
    (folder / other.key).mkdir()
    for path in (folder / job.key).iterdir():
        shutil.copy(path, folder / other.key / path.name)
    (folder / other.key / "job.json").write_bytes(JOB.dump_json(other))
    return other


def test_examples_of_another_data_set_are_refused_before_they_are_compared(parents):
    source = as_if_trained_on(DataSpec(name="cifar10"), parents, FULL)
    crafted = craft_job(source, attack=PGD, examples=EXAMPLES)
    shutil.copytree(parents / ON_FULL.key, parents / crafted.key)
    (parents / crafted.key / "job.json").write_bytes(JOB.dump_json(crafted))
    job = transfer_job(MODEL, attack=PGD, crafted=crafted, source=source, examples=EXAMPLES)
    with pytest.raises(ArtifactError, match=r"from cifar10, not digits$"):
        run(job, RunSettings(parents))


def test_how_an_epsilon_was_written_does_not_part_examples_and_attack(parents):
    written = PGD.model_copy(update={"epsilon_literal": "16/510"})
    run_all([transfer_job(MODEL, attack=written, crafted=ON_FULL, source=FULL, examples=EXAMPLES)], parents)


@pytest.mark.slow
def test_one_transfer_job_from_the_command_line_has_the_result_that_it_has_in_process(done, parents):
    path = parents / "job.json"
    path.write_bytes(JOB.dump_json(TRANSFER))
    command = [sys.executable, "-m", "workers", str(path), "--artifacts", str(parents)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert Artifacts(parents).result(TRANSFER.key).outcome == done[TRANSFER].outcome
    path.write_bytes(JOB.dump_json(MISMATCHED[0][0]))
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "its examples do not fit the attack" in ended.stderr
