import warnings

import hypothesis
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from tests.builders import attack_settings
from tests.workers.small import generator, network, same_state, split
from workers.attacks import ATTACKS, check_examples, input_gradient, signed_gradient_ascent
from workers.errors import JobError

NAMES = sorted(ATTACKS)
STEPS = {"fgsm": 1, "bim": 5, "pgd": 5}


def smooth_net():
    """A deterministic net of smooth functions, in double precision: no gradient is exactly zero."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 6 * 6, 5)).double()
    return net.eval().requires_grad_(False)


NET = smooth_net()
INPUTS = torch.rand(12, 2, 8, 8, generator=generator(), dtype=torch.float64)
LABELS = torch.randint(5, (12,), generator=generator())


def settings(name, *, epsilon=0.06, stepsize=None):
    made = attack_settings(name=name, epsilon=epsilon, steps=STEPS[name])
    return made if stepsize is None else made.model_copy(update={"abs_stepsize": stepsize})


def attacked(name, *, logits=NET, inputs=INPUTS, labels=LABELS, seed=0, **fields):
    return ATTACKS[name](logits, inputs, labels, settings=settings(name, **fields), generator=generator(seed))


@pytest.fixture(scope="module")
def foolbox():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports a name that SciPy will drop
        import foolbox

        return foolbox


def theirs(foolbox, attack, *, epsilon):
    model = foolbox.PyTorchModel(NET, bounds=(0, 1), device="cpu")
    return attack.run(model, INPUTS, foolbox.criteria.Misclassification(LABELS), epsilon=epsilon)


def assert_equal(ours, expected):
    # Foolbox projects the distance, we clamp the point: the same value, rounded differently.
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("epsilon", [2 / 255, 0.3])
def test_fgsm_makes_foolboxs_examples(foolbox, epsilon):
    expected = theirs(foolbox, foolbox.attacks.LinfFastGradientAttack(), epsilon=epsilon)
    assert_equal(attacked("fgsm", epsilon=epsilon), expected)


@pytest.mark.parametrize(("epsilon", "stepsize"), [(8 / 255, 1 / 255), (0.1, 0.04)])
def test_bim_makes_foolboxs_examples(foolbox, epsilon, stepsize):
    attack = foolbox.attacks.LinfBasicIterativeAttack(abs_stepsize=stepsize, steps=STEPS["bim"])
    assert_equal(attacked("bim", epsilon=epsilon, stepsize=stepsize), theirs(foolbox, attack, epsilon=epsilon))


@pytest.mark.parametrize(("epsilon", "stepsize"), [(8 / 255, 2 / 255), (0.3, 0.1)])
def test_pgd_makes_foolboxs_examples_from_the_same_start(foolbox, epsilon, stepsize):
    class FromOurStart(foolbox.attacks.LinfPGD):
        def get_random_start(self, x0, epsilon):
            noise = torch.rand(INPUTS.shape, generator=generator(), dtype=torch.float64)
            return x0 + (2 * noise - 1) * epsilon

    attack = FromOurStart(abs_stepsize=stepsize, steps=STEPS["pgd"])
    assert_equal(attacked("pgd", epsilon=epsilon, stepsize=stepsize), theirs(foolbox, attack, epsilon=epsilon))


@hypothesis.settings(max_examples=40)
@given(
    seed=st.integers(0, 99),
    epsilon=st.floats(1e-4, 1),
    stepsize=st.floats(1e-4, 3),
    steps=st.integers(1, 4),
    random_start=st.booleans(),
    spread=st.sampled_from([0.0, 0.5, 2.0]),
)
def test_examples_stay_in_the_ball_and_in_the_input_range(seed, epsilon, stepsize, steps, random_start, spread):
    inputs = (0.5 + spread * torch.randn(3, 2, 8, 8, generator=generator(seed), dtype=torch.float64)).clamp(0, 1)
    before = inputs.clone()
    fields = attack_settings(name="pgd" if random_start else "bim", epsilon=epsilon, steps=steps).model_copy(
        update={"abs_stepsize": stepsize}
    )
    examples = signed_gradient_ascent(NET, inputs, LABELS[:3], settings=fields, generator=generator(seed))
    assert float((examples - inputs).abs().max()) <= epsilon + 1e-12
    assert float(examples.min()) >= 0
    assert float(examples.max()) <= 1
    assert torch.equal(inputs, before)


@hypothesis.settings(max_examples=40)
@given(
    seed=st.integers(0, 99),
    epsilon=st.floats(1e-4, 1),
    steps=st.integers(1, 3),
    name=st.sampled_from(["bim", "pgd"]),
    spread=st.sampled_from([0.05, 1.0, 4.0]),
)
def test_attacked_waveforms_stay_in_the_ball_and_between_minus_one_and_one(seed, epsilon, steps, name, spread):
    inputs = (spread * torch.randn(3, 2, 8, 8, generator=generator(seed), dtype=torch.float64)).clamp(-1, 1)
    fields = attack_settings(name=name, epsilon=epsilon, steps=steps)
    examples = signed_gradient_ascent(NET, inputs, LABELS[:3], settings=fields, generator=generator(seed), bounds=(-1, 1))
    assert check_examples(examples, inputs, epsilon=epsilon, bounds=(-1, 1)) <= epsilon + 1e-12
    assert float(examples.min()) < 0


def test_a_waveform_may_be_negative_and_an_image_may_not():
    examples = torch.full((1, 1, 4), -0.5)
    assert check_examples(examples, examples, epsilon=0.1, bounds=(-1, 1)) == 0
    with pytest.raises(JobError, match=r"outside the input range \[0, 1\]"):
        check_examples(examples, examples, epsilon=0.1)
    with pytest.raises(JobError, match=r"outside the input range \[-1, 1\]"):
        check_examples(3 * examples, 3 * examples, epsilon=0.1, bounds=(-1, 1))


@pytest.mark.parametrize("name", NAMES)
def test_an_attack_raises_the_loss(name):
    def loss(points):
        return float(nn.functional.cross_entropy(NET(points), LABELS))

    assert loss(attacked(name)) > loss(INPUTS)


@pytest.mark.parametrize("name", NAMES)
def test_a_net_is_called_once_per_step(name):
    calls = []
    attacked(name, logits=lambda points: calls.append(points.shape) or NET(points))
    assert calls == [INPUTS.shape] * STEPS[name]


def test_fgsm_is_one_signed_gradient_step_of_size_epsilon():
    leaf = INPUTS.clone().requires_grad_()
    nn.functional.cross_entropy(NET(leaf), LABELS).backward()
    assert torch.equal(attacked("fgsm"), (INPUTS + 0.06 * leaf.grad.sign()).clamp(0, 1))


def first_points(seed):
    """Where PGD starts, seen from the attacked net."""
    seen = []
    attacked("pgd", logits=lambda points: seen.append(points.detach()) or NET(points), inputs=torch.full_like(INPUTS, 0.5), seed=seed)
    return seen[0]


def test_the_random_start_is_uniform_in_the_ball():
    offsets = (first_points(0) - 0.5).flatten() / 0.06
    assert stats.kstest(offsets.numpy(), stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_the_random_start_comes_from_the_given_generator_alone():
    before = torch.get_rng_state()
    assert torch.equal(first_points(1), first_points(1))
    assert not torch.equal(first_points(1), first_points(2))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["fgsm", "bim"])
def test_attacks_without_a_random_start_draw_nothing(name):
    random = generator(4)
    ATTACKS[name](NET, INPUTS, LABELS, settings=settings(name), generator=random)
    assert torch.equal(random.get_state(), generator(4).get_state())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("training", [True, False])
def test_an_attack_leaves_mode_parameters_and_gradients_of_the_net_alone(name, training):
    net, untouched = network(width=4, theta=0.8), network(width=4, theta=0.8)
    for module in net.modules():
        module.training = training and not isinstance(module, nn.BatchNorm2d)  # its statistics would move by themselves
    modes = [module.training for module in net.modules()]
    data = split(4)
    inputs, labels = data.batch(slice(4))
    attacked(name, logits=net, inputs=inputs, labels=labels)
    assert [module.training for module in net.modules()] == modes
    assert same_state(net, untouched)
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in net.parameters())
    assert torch.equal(data.inputs, split(4).inputs)


def test_every_step_sees_a_fresh_sketch():
    net = network(width=4, theta=0.8)
    inputs, labels = split(4).batch(slice(4))
    gradients = [input_gradient(net, inputs, labels) for _ in range(2)]
    assert not torch.equal(*gradients)


def test_gradients_are_of_each_examples_own_loss_whatever_the_batch():
    alone = torch.cat([input_gradient(NET, INPUTS[k : k + 1], LABELS[k : k + 1]) for k in range(len(INPUTS))])
    torch.testing.assert_close(input_gradient(NET, INPUTS, LABELS), alone, rtol=0, atol=1e-14)


def test_gradients_are_there_under_no_grad():
    with torch.no_grad():
        assert input_gradient(NET, INPUTS, LABELS).abs().sum() > 0


def moved(by):
    examples = torch.full((2, 1, 2, 2), 0.5)
    examples[1, 0, 1, 1] += by
    return examples


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
def test_examples_that_break_the_threat_model_are_an_error(by, epsilon, message):
    with pytest.raises(JobError, match=message):
        check_examples(moved(by), moved(0), epsilon=epsilon)


@pytest.mark.parametrize("by", [0.0, 0.1, -0.1])
def test_the_largest_distance_of_legal_examples_is_returned(by):
    assert check_examples(moved(by), moved(0), epsilon=0.1) == pytest.approx(abs(by), abs=1e-6)
