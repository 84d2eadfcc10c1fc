"""Every defence in a network: attacked through, switched off where nothing may be random, evaluated as what it is."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.builders import attack_job, attack_settings, craft_job, defend_job, evaluate_job
from tests.kept_files import kept
from tests.workers.runtime.chain import FULL, MODEL, PGD, run_all, train_job
from tests.workers.small import CPU, DIGITS, data_set, generator, network, same_state, split
from workers.artifacts.artifacts import Artifacts
from workers.artifacts.outcomes import TrainOutcome
from workers.attacks.engine import input_gradient
from workers.data.loading.device_split import DeviceSplit
from workers.errors import ArtifactError, JobError, UserError
from workers.measure.evaluate import attacker, correct_flags, craft, replayer, require_sketch
from workers.models.network import build
from workers.registry import DEFENCES
from workers.runtime.run import RunSettings, run
from workers.spec.component import DefenceSpec
from workers.spec.job import Job
from workers.spec.model import ModelSpec
from workers.spec.training import TrainingSpec
from workers.train import Checkpoint, train

NAMES = [name for name in DEFENCES.names() if name != "none"]
RANDOMISED = ["defensive_dropout", "random_resize_pad", "stochastic_activation_pruning"]
DATA = split(20)
TEST = split(60)
EPSILON = 24 / 255


def defended(name, *, theta=1.0, width=4, **fields):
    return network(width=width, theta=theta, defence=DefenceSpec(name=name), **fields)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Of a small net that has learnt the digits."""
    net = build(ModelSpec(width=8, rank_fraction=1.0), DIGITS.info, seed=0)
    net.seed(0)
    data = DeviceSplit.put(DIGITS.load(None).train.first(600), CPU)
    settings = TrainingSpec(epochs=5, batch_size=50)
    checkpoint = Checkpoint(Artifacts(tmp_path_factory.mktemp("trained")).folder("0" * 64, attempt="test"))
    train(net, data, settings, order=generator(), checkpoint=checkpoint, report=[].append)
    return net.state_dict()


def test_every_defence_is_registered_under_its_name():
    assert {name for name in NAMES if DEFENCES[name].facts.randomised} == set(RANDOMISED)


@pytest.mark.parametrize("name", NAMES)
def test_a_defence_adds_no_weights_and_changes_none(name):
    assert same_state(defended(name), network(width=4))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_defence_is_at_work_in_training_and_in_eval_mode(name, training):
    plain, net = network(width=4).train(training), defended(name).train(training)
    assert not torch.equal(plain(DATA.inputs), net(DATA.inputs))


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_reaches_the_input_through_every_defence(name):
    gradient = input_gradient(defended(name), *DATA.batch(slice(8)))
    assert gradient.isfinite().all()
    assert (gradient != 0).flatten(1).any(dim=1).all()


def margin(net, inputs):
    """Mean over the examples and 8 draws of the label's logit less the largest other one."""
    labels = TEST.labels[:, None]
    with torch.no_grad():
        logits = torch.stack([net(inputs) for _ in range(8)]).mean(0)
    return (logits.gather(1, labels)[:, 0] - logits.scatter(1, labels, -math.inf).amax(1)).mean()


@pytest.mark.parametrize("name", ["none", *NAMES])
def test_attacks_go_through_every_defence(name, weights):
    """PGD costs far more than noise of the same size, whether it sees fresh randomness or none: margin everywhere, and accuracy.

    The net has learnt without defences. Behind `random_resize_pad`, whose smaller images it has never seen, it has half of the examples
    wrong before any attack, and what accuracy is left is a matter of the last bits of its training: there the margin alone is asked.
    """
    net = defended(name, width=8, rank_fraction=1.0)
    net.load_state_dict(weights)
    pgd = attack_settings(name="pgd", epsilon=EPSILON, steps=8)
    pgd = pgd.model_copy(update={"abs_stepsize": 2.5 * EPSILON / 8})

    def noise(place, inputs, labels):
        signs = torch.randint(0, 2, inputs.shape, generator=generator(9)) * 2 - 1
        return (inputs + EPSILON * signs).clamp(0, 1)

    examples, _ = craft(net, TEST, pgd, batch_size=30, generator=generator())
    perturbed = {
        "noise": noise,
        "randomized": attacker(net, pgd, generator=generator()),
        "omniscient": replayer(examples, epsilon=EPSILON),
    }
    margins, accuracies = {}, {}
    for knowledge, perturb in perturbed.items():
        margins[knowledge] = margin(net, perturb(slice(0, 60), *TEST.batch(slice(60))))
        accuracies[knowledge] = correct_flags(net, TEST, batch_size=30, perturb=perturb).mean()
    assert margins["randomized"] < margins["noise"] - 1
    assert margins["omniscient"] < margins["noise"] - 0.5
    assert accuracies["noise"] > 0.3
    if name != "random_resize_pad":
        assert accuracies["randomized"] < 0.7 * accuracies["noise"]
        assert accuracies["omniscient"] < 0.75 * accuracies["noise"]


@pytest.mark.parametrize("name", RANDOMISED)
def test_full_weights_draw_nothing_and_are_the_undefended_net(name):
    net, plain = defended(name, theta=0.5), network(width=4, theta=1.0)
    before = net.sketch.generator.get_state()
    with net.full_weights():
        assert torch.equal(net(DATA.inputs), plain(DATA.inputs))
    assert torch.equal(net.sketch.generator.get_state(), before)
    assert not torch.equal(net(DATA.inputs), net(DATA.inputs))


@pytest.mark.parametrize("name", ["defensive_quantization", "feature_squeezing"])
def test_a_deterministic_defence_stays_in_full_weights(name):
    net = defended(name)
    with net.full_weights():
        inside = net(DATA.inputs)
    assert torch.equal(inside, net(DATA.inputs))
    assert not torch.equal(inside, network(width=4)(DATA.inputs))


@pytest.mark.parametrize("theta", [1.0, 0.8])
@pytest.mark.parametrize("name", NAMES)
def test_one_seed_settles_sketch_and_defence(name, theta):
    one, other = defended(name, theta=theta), defended(name, theta=theta)
    assert one.sketch.generator is one.defence.generator
    first = one(DATA.inputs)
    assert torch.equal(first, other(DATA.inputs))
    assert one.randomised == (theta < 1 or name in RANDOMISED)
    assert torch.equal(first, one(DATA.inputs)) != one.randomised
    one.seed(0)
    assert torch.equal(first, one(DATA.inputs))


@pytest.mark.parametrize("theta", [1.0, 0.9])
@pytest.mark.parametrize("name", NAMES)
def test_a_defended_net_is_as_random_as_it_should_be(name, theta):
    require_sketch(defended(name, theta=theta), DATA)


def test_a_randomised_defence_that_is_off_is_an_error():
    net = defended("defensive_dropout")
    with (
        net.defence.derandomised(),
        pytest.raises(JobError, match=r"theta=1\.0 defence=defensive_dropout: repeated forward passes are all equal"),
    ):
        require_sketch(net, DATA)


def test_a_deterministic_defence_that_draws_is_an_error():
    net = defended("feature_squeezing")
    net.defence.transform = lambda inputs: inputs + torch.rand_like(inputs)
    with pytest.raises(JobError, match=r"theta=1\.0 defence=feature_squeezing: repeated forward passes differ"):
        require_sketch(net, DATA)


@pytest.mark.parametrize("model", ["logmel", "soundnet5"])
@pytest.mark.parametrize("name", ["defensive_dropout", "defensive_quantization", "stochastic_activation_pruning"])
def test_activation_defences_work_on_audio_networks(name, model):
    info = data_set("tones").info
    waves = 0.2 * torch.randn(3, 1, 16_000, generator=generator())
    logits = []
    for defence in (DefenceSpec(), DefenceSpec(name=name)):
        net = build(ModelSpec(name=model, width=2), info, seed=0, defence=defence).eval().requires_grad_(False)
        net.seed(0)
        logits.append(net(waves))
    assert logits[1].isfinite().all()
    assert not torch.equal(*logits)


def test_dropout_works_on_a_binary_network():
    net = defended("defensive_dropout", binary=True)
    assert not torch.equal(net(DATA.inputs), net(DATA.inputs))


@pytest.mark.parametrize("trained", [FULL, MODEL], ids=["pretrain", "fine_tune"])
@pytest.mark.parametrize("name", [found.name for found in DEFENCES if found.facts.around])
def test_a_defence_put_around_a_net_has_its_weights_and_trains_nothing(tmp_path, name, trained):
    job = defend_job(trained, name)
    done = run_all([FULL, trained, job], tmp_path)
    before, after = done[trained].outcome, done[job].outcome
    assert isinstance(after, TrainOutcome)
    assert (after.history, after.ranks, after.n_parameters) == ([], before.ranks, before.n_parameters)
    one, other = (load_file(kept(tmp_path, key, "model.safetensors")) for key in (trained.key, job.key))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_every_measurement_of_a_defended_net_runs_and_repeats_bit_for_bit(tmp_path):
    jobs = [FULL, dropped := train_job(defence=DefenceSpec(name="defensive_dropout"))]
    for model in (defend_job(FULL, "stochastic_activation_pruning"), defend_job(FULL, "feature_squeezing"), dropped):
        crafted = craft_job(model, attack=PGD, examples=20)
        jobs += [model, crafted, evaluate_job(model, examples=20), attack_job(model, attack=PGD, examples=20)]
        jobs += [attack_job(model, attack=PGD, crafted=crafted, examples=20)]
    one, again = (run_all(jobs, tmp_path / name) for name in ("one", "again"))
    assert [one[job].outcome for job in jobs] == [again[job].outcome for job in jobs]


def test_what_is_measured_is_the_defended_net(tmp_path):
    model = defend_job(FULL, "random_resize_pad")
    plain, defended_job = (evaluate_job(job, examples=200, batch_size=50) for job in (FULL, model))
    done = run_all([FULL, model, plain, defended_job], tmp_path)
    assert not np.array_equal(done[plain].outcome.correct(), done[defended_job].outcome.correct())


def test_a_defence_needs_a_net_to_be_put_around(tmp_path):
    job = defend_job(FULL, "feature_squeezing")
    with pytest.raises(ArtifactError, match=FULL.key):
        run(job, RunSettings(tmp_path))
    with pytest.raises(UserError, match="stage defend needs a parent in role 'weights'"):
        run(Job(spec=job.spec), RunSettings(tmp_path))
