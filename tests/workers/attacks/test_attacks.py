"""The loop of FGSM, BIM, MI-FGSM and PGD: against Foolbox, and against its definition."""

import warnings

import pytest
import torch
from scipy import stats
from torch import nn

from tests.workers.attacks.attacked import INPUTS, LABELS, LOOP, NET, NORMS, accuracy, attacked, digits, digits_net, settings
from tests.workers.small import generator, network, run_attack, split
from workers.attacks.engine import input_gradient
from workers.errors import UserError


@pytest.fixture(scope="module")
def foolbox():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports a name that SciPy will drop
        import foolbox

        return foolbox


class FromOurStart:
    """Foolbox's PGD from the point that our generator gives."""

    def __new__(cls, base, **fields):
        class Started(base):
            def get_random_start(self, x0, epsilon):
                from workers.attacks.engine.norms import BALLS

                norm = "linf" if base.__name__.startswith("Linf") else "l2"
                ball = BALLS[norm](x0.raw, epsilon=epsilon, bounds=(0, 1))
                return type(x0)(ball.random(generator()))

        return Started(**fields)


def theirs(foolbox, name, *, norm, epsilon, stepsize, of=(NET, INPUTS, LABELS), targets=None, steps=5):
    net, inputs, labels = of
    model = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
    prefix = {"linf": "Linf", "l2": "L2"}[norm]
    if name == "fgsm":
        attack = getattr(foolbox.attacks, f"{prefix}FastGradientAttack")()
    elif name == "bim":
        attack = getattr(foolbox.attacks, f"{prefix}BasicIterativeAttack")(abs_stepsize=stepsize, steps=steps)
    else:
        attack = FromOurStart(getattr(foolbox.attacks, f"{prefix}ProjectedGradientDescentAttack"), abs_stepsize=stepsize, steps=steps)
    criteria = foolbox.criteria
    wanted = criteria.Misclassification(labels) if targets is None else criteria.TargetedMisclassification(targets)
    return attack.run(model, inputs, wanted, epsilon=epsilon)


def assert_equal(ours, expected):
    # Foolbox projects the distance, we clamp the point: the same value, rounded differently.
    torch.testing.assert_close(ours, expected, rtol=0, atol=2e-15)


CASES = [("linf", 2 / 255, 1 / 255), ("linf", 0.3, 0.1), ("l2", 0.5, 0.2), ("l2", 3.0, 1.0)]


@pytest.mark.parametrize("name", ["fgsm", "bim", "pgd"])
@pytest.mark.parametrize(("norm", "epsilon", "stepsize"), CASES)
def test_examples_are_foolboxs_from_the_same_start(foolbox, name, norm, epsilon, stepsize):
    expected = theirs(foolbox, name, norm=norm, epsilon=epsilon, stepsize=stepsize)
    ours = attacked(name, norm=norm, epsilon=epsilon, abs_stepsize=stepsize)
    assert_equal(ours, expected)
    assert torch.equal(NET(ours).argmax(dim=1), NET(expected).argmax(dim=1))


@pytest.mark.parametrize("name", ["bim", "pgd"])
@pytest.mark.parametrize(("norm", "epsilon", "stepsize"), CASES)
def test_targeted_examples_are_foolboxs_from_the_same_start(foolbox, name, norm, epsilon, stepsize):
    targets = (LABELS + 1) % 5
    expected = theirs(foolbox, name, norm=norm, epsilon=epsilon, stepsize=stepsize, targets=targets)
    assert_equal(attacked(name, norm=norm, epsilon=epsilon, abs_stepsize=stepsize, target="next"), expected)


@pytest.mark.parametrize("name", ["fgsm", "bim", "pgd"])
@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.1), ("l2", 0.7)])
def test_in_single_precision_outcomes_are_foolboxs(foolbox, name, norm, epsilon):
    net, (inputs, labels) = digits_net(), digits(400)
    given = {"net": net, "inputs": inputs, "labels": labels}
    expected = theirs(foolbox, name, norm=norm, epsilon=epsilon, stepsize=epsilon / 4, steps=10, of=tuple(given.values()))
    ours = attacked(name, norm=norm, epsilon=epsilon, steps=10, **given, **({} if name == "fgsm" else {"abs_stepsize": epsilon / 4}))
    assert float((net(ours).argmax(dim=1) == net(expected).argmax(dim=1)).float().mean()) >= 0.999
    assert 0.05 < accuracy(net, ours, labels) < 0.95


@pytest.mark.parametrize("name", LOOP)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("restarts", [1, 2])
def test_a_net_is_called_once_per_step_and_run(name, norm, restarts):
    calls = []
    chosen = settings(name, norm=norm, restarts=restarts)
    attacked(name, net=lambda points: calls.append(points.shape) or NET(points), norm=norm, restarts=restarts)
    judged = 2 * (chosen.restarts - 1)
    assert calls == [INPUTS.shape] * ((chosen.steps or 1) * chosen.restarts + judged)


def test_fgsm_is_one_signed_gradient_step_of_size_epsilon():
    leaf = INPUTS.clone().requires_grad_()
    nn.functional.cross_entropy(NET(leaf), LABELS).backward()
    assert torch.equal(attacked("fgsm"), (INPUTS + 0.06 * leaf.grad.sign()).clamp(0, 1))


def test_fgsm_under_l2_is_one_step_of_length_epsilon_along_the_gradient():
    leaf = (0.25 + INPUTS / 2).requires_grad_()
    nn.functional.cross_entropy(NET(leaf), LABELS, reduction="sum").backward()
    step = leaf.grad / leaf.grad.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    torch.testing.assert_close(
        attacked("fgsm", norm="l2", inputs=leaf.detach(), epsilon=0.2), (leaf + 0.2 * step).detach(), rtol=0, atol=1e-15
    )


def test_mi_fgsm_accumulates_gradients_of_length_one():
    """Dong et al. (2018), algorithm 1, written down again."""
    points, velocity = INPUTS.clone(), torch.zeros_like(INPUTS)
    for _ in range(5):
        slope = input_gradient(NET, points, LABELS)
        velocity = 0.7 * velocity + slope / slope.abs().sum(dim=(1, 2, 3), keepdim=True)
        points = points + 0.012 * velocity.sign()
        points = torch.clamp(points, INPUTS - 0.06, INPUTS + 0.06).clamp(0, 1)
    torch.testing.assert_close(attacked("mi_fgsm", momentum=0.7, abs_stepsize=0.012), points, rtol=0, atol=1e-15)


@pytest.mark.parametrize("norm", NORMS)
def test_without_momentum_mi_fgsm_is_bim(norm):
    assert torch.equal(attacked("mi_fgsm", norm=norm, momentum=0.0), attacked("bim", norm=norm))
    assert not torch.equal(attacked("mi_fgsm", norm=norm, momentum=1.0), attacked("bim", norm=norm))


def first_points(seed, *, norm="linf", inputs=None):
    """Where PGD starts, seen from the attacked net."""
    seen = []
    inputs = torch.full_like(INPUTS, 0.5) if inputs is None else inputs
    attacked(
        "pgd", net=lambda points: seen.append(points.detach().clone()) or NET(points), inputs=inputs, norm=norm, seed=seed, epsilon=0.06
    )
    return seen[0]


def test_the_random_start_is_uniform_in_the_cube():
    offsets = (first_points(0) - 0.5).flatten() / 0.06
    assert stats.kstest(offsets.numpy(), stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_the_random_start_of_l2_is_uniform_in_the_ball():
    """In d dimensions the radius to the power d is uniform; each of the direction's coordinates has mean 0 and variance 1/d."""
    offsets = torch.cat([(first_points(seed, norm="l2") - 0.5).flatten(1) for seed in range(40)]) / 0.06
    radii = offsets.norm(dim=1)
    assert stats.kstest((radii ** offsets.shape[1]).numpy(), stats.uniform(0, 1).cdf).pvalue > 1e-3
    directions = (offsets / radii[:, None]) * offsets.shape[1] ** 0.5
    assert abs(float(directions.mean())) < 4 / directions.numel() ** 0.5
    assert stats.kstest(directions[:, ::16].flatten().numpy(), stats.norm.cdf).pvalue > 1e-3


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["apgd_ce", "bim", "mi_fgsm", "pgd"])
def test_every_point_has_the_memory_layout_of_the_inputs(name, norm):
    """In the other layout, convolutions take a third longer."""
    strides, wide = [], INPUTS.to(memory_format=torch.channels_last)
    found = attacked(name, net=lambda points: strides.append(points.stride()) or NET(points), inputs=wide, norm=norm)
    assert set(strides) == {wide.stride()}
    torch.testing.assert_close(found, attacked(name, norm=norm), rtol=0, atol=1e-10)


def test_the_random_start_comes_from_the_given_generator_alone():
    before = torch.get_rng_state()
    assert torch.equal(first_points(1), first_points(1))
    assert not torch.equal(first_points(1), first_points(2))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["fgsm", "bim", "mi_fgsm"])
def test_attacks_without_a_random_start_draw_nothing(name):
    random = generator(4)
    run_attack(NET, INPUTS, LABELS, settings=settings(name), generator=random)
    assert torch.equal(random.get_state(), generator(4).get_state())


@pytest.mark.parametrize("loss", ["dlr", "margin"])
def test_the_loop_climbs_the_loss_that_is_asked_for(loss):
    from workers.attacks.engine.losses import LOSSES

    def mean(points):
        return float(LOSSES[loss](NET(points), LABELS, None).mean())

    assert mean(attacked("pgd", loss=loss)) > mean(INPUTS) + 0.1
    assert not torch.equal(attacked("pgd", loss=loss), attacked("pgd"))


@pytest.mark.parametrize("name", ["bim", "mi_fgsm", "pgd"])
@pytest.mark.parametrize("norm", NORMS)
def test_early_stopping_misses_no_example_that_is_fooled_without_it(name, norm):
    net, (inputs, labels) = digits_net(), digits(300)
    fields = {
        "net": net,
        "inputs": inputs,
        "labels": labels,
        "norm": norm,
        "epsilon": {"l2": 0.7, "linf": 0.1}[norm],
        "steps": 10,
    }
    late, early = attacked(name, **fields), attacked(name, early_stop=True, **fields)
    fooled_late, fooled_early = (net(points).argmax(dim=1) != labels for points in (late, early))
    assert bool((fooled_early | ~fooled_late).all())
    assert 0.2 < float(fooled_early.float().mean()) < 1


def test_an_example_that_is_fooled_leaves_the_batch():
    sizes = []
    net, (inputs, labels) = digits_net(), digits(100)
    attacked("pgd", net=lambda x: sizes.append(len(x)) or net(x), inputs=inputs, labels=labels, epsilon=0.2, steps=20, early_stop=True)
    assert sizes[0] == 100
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) < 0.5 * 100 * 20


def test_gradients_are_of_each_examples_own_loss_whatever_the_batch():
    alone = torch.cat([input_gradient(NET, INPUTS[k : k + 1], LABELS[k : k + 1]) for k in range(len(INPUTS))])
    torch.testing.assert_close(input_gradient(NET, INPUTS, LABELS), alone, rtol=0, atol=1e-14)


def test_gradients_are_there_under_no_grad():
    with torch.no_grad():
        assert input_gradient(NET, INPUTS, LABELS).abs().sum() > 0


def test_every_step_sees_a_fresh_sketch():
    net = network(width=4, theta=0.8)
    inputs, labels = split(4).batch(slice(4))
    gradients = [input_gradient(net, inputs, labels) for _ in range(2)]
    assert not torch.equal(*gradients)


@pytest.mark.parametrize("name", ["bim", "pgd"])
def test_gradients_in_bf16_climb_as_high_by_float32_points(name):
    net, (inputs, labels), seen = digits_net(), digits(64), set()

    def watched(points):
        logits = net(points)
        seen.add(logits.dtype)
        return logits

    losses = []
    for precision in ("float32", "bf16"):
        chosen = settings(name, precision=precision)
        points = run_attack(watched, inputs, labels, settings=chosen, generator=generator())
        assert points.dtype == torch.float32
        assert (points - inputs).abs().max() <= chosen.epsilon + 1e-6
        losses.append(float(nn.functional.cross_entropy(net(points), labels)))
    assert seen == {torch.float32, torch.bfloat16}
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_foolbox_has_no_other_precision():
    with pytest.raises(UserError, match="precision=bf16"):
        attacked("pgd", backend="foolbox", precision="bf16")
