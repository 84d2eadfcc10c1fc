"""What holds for every attack under every norm."""

import hypothesis
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.workers.attacks.attacked import INPUTS, LABELS, NAMES, NET, NORMS, Noisy, attacked, digits, digits_net, settings
from tests.workers.small import generator, network, run_attack, same_state, split
from workers.attacks.engine import check_examples
from workers.errors import JobError, UserError
from workers.registry import ATTACKS

DRAWING = ["smoothed_pgd"]
"""Attacks that draw in every step: with `early_stop` the first run of several is another one than a single run."""
GUIDED = [name for name in NAMES if name != "noise" and not ATTACKS[name].facts.minimises]
each_attack = pytest.mark.parametrize("name", NAMES)
each_norm = pytest.mark.parametrize("norm", NORMS)


SETTINGS = st.fixed_dictionaries(
    {
        "norm": st.sampled_from(NORMS),
        "abs_stepsize": st.floats(1e-4, 3),
        "steps": st.integers(1, 6),
        "restarts": st.integers(1, 2),
        "early_stop": st.booleans(),
        "target": st.sampled_from(["none", "next", "random", "least_likely"]),
        "selection_draws": st.integers(2, 3),
        "eot_samples": st.integers(1, 3),
    }
)
PLACES = st.tuples(st.sampled_from([(0, 1), (-1, 1)]), st.sampled_from([0.0, 0.5, 4.0]), st.integers(0, 99))


@hypothesis.settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(NAMES), size=st.floats(1e-4, 1), place=PLACES, draws=st.sampled_from(["none", "batch", "example"]), more=SETTINGS
)
def test_examples_stay_in_the_ball_and_in_the_input_range(name, size, place, draws, more):
    bounds, spread, seed = place
    inputs = sum(bounds) / 2 + spread * torch.randn(3, 2, 8, 8, generator=generator(seed), dtype=torch.float64)
    inputs.clamp_(*bounds)
    before = inputs.clone()
    net, more = (NET, more) if draws == "none" else (Noisy(draws=draws), {**more, "early_stop": False})
    epsilon = size if more["norm"] == "linf" else 6 * size
    fields = settings(name, epsilon=epsilon, **more)
    given = {"settings": fields, "generator": generator(seed), "bounds": bounds, "randomness": draws}
    examples = run_attack(net, inputs, LABELS[:3], **given)
    lengths = (examples - inputs).flatten(1).norm(dim=1, p={"linf": torch.inf, "l2": 2}[fields.norm])
    assert float(lengths.max()) <= epsilon * (1 + 1e-12) + 1e-15
    assert bounds[0] <= float(examples.min()) <= float(examples.max()) <= bounds[1]
    assert (examples.shape, examples.dtype) == (inputs.shape, inputs.dtype)
    assert not examples.requires_grad
    assert torch.equal(inputs, before)


@each_attack
@each_norm
@pytest.mark.parametrize("length", [1, 7, 400])
def test_waveforms_are_attacked_too(name, norm, length):
    torch.manual_seed(1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(2 * length, 4), nn.Tanh(), nn.Linear(4, 5)).double().requires_grad_(False)
    inputs = (2 * torch.rand(3, 2, length, generator=generator(), dtype=torch.float64) - 1).clamp(-0.9, 0.9)
    labels = net(inputs).argmax(dim=1)  # who is misclassified as it is has no smaller perturbation
    examples = attacked(name, net=net, inputs=inputs, labels=labels, norm=norm, bounds=(-1, 1), steps=20)
    distance = check_examples(examples, inputs, epsilon={"linf": 0.06, "l2": 0.8}[norm], bounds=(-1, 1), norm=norm)
    assert distance > 0
    assert float(examples.min()) < 0 or length == 1


@each_attack
@each_norm
@pytest.mark.parametrize("randomness", ["none", "batch"])
def test_the_same_seeds_give_the_same_examples(name, norm, randomness):
    def again():
        net = NET if randomness == "none" else Noisy()
        return attacked(name, net=net, norm=norm, randomness=randomness, selection_draws=1 if randomness == "none" else 3, restarts=2)

    before = torch.get_rng_state()
    assert torch.equal(again(), again())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", GUIDED)
@each_norm
def test_an_attack_raises_the_loss_more_than_noise_does(name, norm):
    def loss(points):
        return float(nn.functional.cross_entropy(NET(points), LABELS))

    found = loss(attacked(name, norm=norm, steps=60 if name == "square" else 5))
    assert found > loss(INPUTS)
    assert found > loss(attacked("noise", norm=norm))


@pytest.mark.parametrize("name", ["bim", "fgsm", "mi_fgsm"])
@each_norm
@pytest.mark.parametrize("target", ["none", "next"])
def test_without_random_numbers_an_example_does_not_depend_on_its_batch(name, norm, target):
    whole = attacked(name, norm=norm, target=target)
    alone = torch.cat([attacked(name, norm=norm, target=target, inputs=INPUTS[k : k + 1], labels=LABELS[k : k + 1]) for k in range(12)])
    torch.testing.assert_close(whole, alone, rtol=0, atol=1e-14)


@each_attack
@pytest.mark.parametrize("training", [pytest.param(True, marks=pytest.mark.slow), False])
def test_an_attack_leaves_mode_parameters_and_gradients_of_the_net_alone(name, training):
    net, untouched = network(width=4, theta=0.8), network(width=4, theta=0.8)
    for module in net.modules():
        module.training = training and not isinstance(module, nn.BatchNorm2d)  # its statistics would move by themselves
    modes = [module.training for module in net.modules()]
    data = split(4)
    inputs, labels = data.batch(slice(4))
    attacked(name, net=net, inputs=inputs, labels=labels, randomness="batch", selection_draws=2)
    assert [module.training for module in net.modules()] == modes
    assert same_state(net, untouched)
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in net.parameters())
    assert torch.equal(data.inputs, split(4).inputs)


@pytest.mark.parametrize("name", ["apgd_ce", "apgd_dlr", "bim", "mi_fgsm", "pgd", "square"])
@pytest.mark.parametrize("target", ["next", "random", "least_likely"])
def test_a_targeted_attack_reaches_its_targets_more_often_than_an_untargeted_one(name, target):
    net, (inputs, labels) = digits_net(), digits(100)
    fields = {"net": net, "inputs": inputs, "labels": labels, "epsilon": 0.25, "steps": 200 if name == "square" else 20}
    aims = {"next": (labels + 1) % 10, "least_likely": net(inputs).scatter(1, labels[:, None], torch.inf).argmin(dim=1)}
    reached = [net(attacked(name, target=aim, **fields)).argmax(dim=1) for aim in ("none", target)]
    if target == "random":
        assert float((reached[1] != labels).float().mean()) > 0.3
        return
    hits = [float((classes == aims[target]).float().mean()) for classes in reached]
    assert hits[1] > hits[0] + 0.1, hits


@pytest.mark.parametrize("target", ["next", "random", "least_likely"])
def test_a_target_is_never_the_true_class(target):
    from workers.attacks.engine import pose

    for seed in range(20):
        posed = pose(NET, INPUTS, LABELS, settings=settings("pgd", target=target), generator=generator(seed))
        assert bool((posed.goal.targets != LABELS).all())
        assert 0 <= int(posed.goal.targets.min()) <= int(posed.goal.targets.max()) < 5


@pytest.mark.parametrize("name", [name for name in NAMES if ATTACKS[name].facts.random_start and name not in DRAWING])
@each_norm
@pytest.mark.parametrize("early_stop", [False, True])
def test_more_restarts_are_never_weaker_on_a_deterministic_net(name, norm, early_stop):
    net, (inputs, labels) = digits_net(), digits(200)
    fields = {"net": net, "inputs": inputs, "labels": labels, "norm": norm, "epsilon": {"linf": 0.1, "l2": 0.8}[norm], "steps": 4}
    fooled = [net(attacked(name, restarts=n, early_stop=early_stop and n > 1, **fields)).argmax(dim=1) != labels for n in (1, 3)]
    assert bool((fooled[1] | ~fooled[0]).all())


@pytest.mark.parametrize("name", ["pgd", "noise"])
def test_restarts_keep_the_highest_loss_among_points_that_fool_alike(name):
    runs, random = [], generator(5)
    for _ in range(3):
        runs.append(run_attack(NET, INPUTS, LABELS, settings=settings(name), generator=random))
    losses = torch.stack([nn.functional.cross_entropy(NET(points), LABELS, reduction="none") for points in runs])
    fooled = torch.stack([NET(points).argmax(dim=1) != LABELS for points in runs])
    best = run_attack(NET, INPUTS, LABELS, settings=settings(name, restarts=3), generator=generator(5))
    chosen = (losses + 100 * fooled).argmax(dim=0)
    assert torch.equal(best, torch.stack(runs)[chosen, torch.arange(12)])


def test_square_says_which_examples_it_takes():
    with pytest.raises(UserError, match=r"^attack 'square' on examples of shape \(128,\): they must be \(channels, length\) or"):
        attacked("square", net=nn.Linear(128, 5).double(), inputs=INPUTS.flatten(1))


def moved(by):
    examples = torch.full((2, 1, 2, 2), 0.5)
    examples[1, 0, 1, 1] += by
    return examples


@each_norm
@pytest.mark.parametrize(
    ("by", "epsilon", "message"),
    [
        (0.11, 0.1, r"lies 0\.1\d+ from its input: outside the ball of epsilon 0\.1"),
        (-0.11, 0.1, "outside the ball of epsilon"),
        (float("nan"), 0.1, "lies nan from its input"),
        (float("inf"), 0.1, "lies inf from its input"),
        (0.6, 0.7, r"has values in \[0\.5, 1\.1\S*\]: outside the input range \[0, 1\]"),
        (-0.6, 0.7, r"outside the input range \[0, 1\]"),
    ],
)
def test_examples_that_break_the_threat_model_are_an_error(by, epsilon, message, norm):
    with pytest.raises(JobError, match=message):
        check_examples(moved(by), moved(0), epsilon=epsilon, norm=norm)


@each_norm
@pytest.mark.parametrize("by", [0.0, 0.1, -0.1])
def test_the_largest_distance_of_legal_examples_is_returned(by, norm):
    assert check_examples(moved(by), moved(0), epsilon=0.1, norm=norm) == pytest.approx(abs(by), abs=1e-6)


def test_distances_are_the_norms_own():
    examples = moved(0)
    examples[0] += 0.1
    assert check_examples(examples, moved(0), epsilon=1, norm="l2") == pytest.approx(0.2)
    assert check_examples(examples, moved(0), epsilon=1, norm="linf") == pytest.approx(0.1)


def test_a_waveform_may_be_negative_and_an_image_may_not():
    examples = torch.full((1, 1, 4), -0.5)
    assert check_examples(examples, examples, epsilon=0.1, bounds=(-1, 1)) == 0
    with pytest.raises(JobError, match=r"outside the input range \[0, 1\]"):
        check_examples(examples, examples, epsilon=0.1)
    with pytest.raises(JobError, match=r"outside the input range \[-1, 1\]"):
        check_examples(3 * examples, 3 * examples, epsilon=0.1, bounds=(-1, 1))
