"""Minimum-norm attacks where the smallest perturbation is known, and attacks that are aimed at classes."""

import pytest
import torch
from torch import nn

from tests.workers.attacks.attacked import INPUTS, LABELS, NET, NORMS, Noisy, accuracy, attacked, digits, digits_net, settings
from tests.workers.small import generator
from workers.attacks.engine import Problem, Watched
from workers.attacks.engine.hyperplane import Slopes, step_to_plane
from workers.attacks.engine.losses import LOSSES, Goal
from workers.attacks.engine.minimum_norm import Nearest
from workers.attacks.engine.queries import likeliest
from workers.spec.attack import AttackSettings

SHAPES = {"image": (2, 4, 4), "audio": (1, 32)}
DUAL = {"linf": 1, "l2": 2}
QUICK = ["deepfool", "fab", "fab_t", "fmn"]


def linear(shape, *, classes=2, spread=0.02):
    """A net whose logits are linear, in double precision, and inputs in the middle of [-1, 1] near its boundary."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(32, classes)).double().requires_grad_(False)
    net[1].weight.copy_(torch.randn(classes, 32, generator=generator(5), dtype=torch.float64))
    net[1].bias.zero_()
    inputs = spread * torch.randn(6, *shape, generator=generator(6), dtype=torch.float64)
    return net, inputs, net(inputs).argmax(dim=1)


def smallest(net, inputs, labels, norm):
    """The distance to the nearest boundary, (batch,)."""
    logits, weight = net(inputs), net[1].weight
    distances = torch.stack(
        [
            (logits[:, k] - logits.gather(1, labels[:, None])[:, 0]).abs()
            / (weight[k] - weight[labels]).norm(p=DUAL[norm], dim=1).clamp_min(1e-30)
            for k in range(len(weight))
        ],
        dim=1,
    )
    return distances.scatter(1, labels[:, None], torch.inf).amin(dim=1)


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("classes", [2, 5])
def test_on_a_linear_net_the_size_found_is_the_distance_to_the_boundary(name, norm, shape, classes):
    net, inputs, labels = linear(SHAPES[shape], classes=classes)
    expected, watched = smallest(net, inputs, labels, norm), Watched.all_of(net, labels)
    epsilon = 1.3 * float(expected.median())
    points = attacked(name, net=watched, inputs=inputs, labels=labels, norm=norm, epsilon=epsilon, bounds=(-1, 1), steps=60)
    assert bool((watched.sizes >= expected * (1 - 1e-6)).all())
    torch.testing.assert_close(watched.sizes.double(), expected, rtol=0.03, atol=0)
    assert torch.equal(net(points).argmax(dim=1) != labels, watched.sizes <= epsilon)


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "most"), [("l2", 1.01), ("linf", 1.3)])
@pytest.mark.parametrize("shape", SHAPES)
def test_carlini_wagner_comes_near_the_distance_to_the_boundary_of_a_linear_net(norm, most, shape):
    net, inputs, labels = linear(SHAPES[shape], spread=0.2)
    expected, watched = smallest(net, inputs, labels, norm), Watched.all_of(net, labels)
    given = {"inputs": inputs, "labels": labels, "norm": norm, "epsilon": 1.0, "bounds": (-1, 1)}
    attacked("carlini_wagner", net=watched, steps=300, stepsize=0.002, searches=9, **given)
    shares = watched.sizes / expected
    assert 1 - 1e-6 <= float(shares.min()) <= float(shares.max()) <= most


@pytest.mark.parametrize("norm", NORMS)
def test_the_step_to_a_plane_is_the_shortest_within_the_bounds(norm):
    points = torch.rand(40, 3, 5, generator=generator(1), dtype=torch.float64)
    slopes = torch.randn(40, 3, 5, generator=generator(2), dtype=torch.float64)
    values = 4 * torch.randn(40, generator=generator(3), dtype=torch.float64)
    step = step_to_plane(points, values, Slopes.of(slopes, norm=norm), bounds=(0, 1))
    assert 0 <= float((points + step).min()) <= float((points + step).max()) <= 1
    signs = slopes.sign() * -values.sign().view(-1, 1, 1)
    room = torch.where(signs > 0, 1 - points, points)
    left = values.abs() - (slopes * step).flatten(1).sum(dim=1).abs()
    within = (slopes.abs() * room).flatten(1).sum(dim=1) >= values.abs()
    assert 0 < int(within.sum()) < 40
    torch.testing.assert_close(left[within], torch.zeros_like(left[within]), rtol=0, atol=1e-5)
    torch.testing.assert_close(step[~within], (signs * room)[~within])
    # Optimal: all values move by one length (of the slope's magnitude) unless a bound stops them.
    length = step.abs() if norm == "linf" else step.abs() / slopes.abs()
    free = step.abs() < room * (1 - 1e-9)
    for row in range(40):
        moved = length[row][free[row]]
        assert moved.numel() == 0 or float(moved.max() - moved.min()) < 1e-9
        assert moved.numel() == 0 or bool((length[row] <= moved.max() + 1e-9).all())


def test_no_slope_is_no_step():
    points, nothing = 0.1 + 0.8 * torch.rand(3, 4), torch.zeros(3, 4)
    assert torch.equal(step_to_plane(points, torch.ones(3), Slopes.of(nothing, norm="l2"), bounds=(0, 1)), nothing)
    small = step_to_plane(points, torch.full((3,), 1e-38), Slopes.of(torch.full((3, 4), 1e-37), norm="l2"), bounds=(0, 1))
    torch.testing.assert_close(small, torch.full((3, 4), -0.025), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("norm", NORMS)
def test_leaving_early_changes_no_outcome(name, norm):
    net, (inputs, labels) = digits_net(), digits(40)
    fields = {
        "net": net,
        "inputs": inputs,
        "labels": labels,
        "norm": norm,
        "epsilon": {"linf": 0.08, "l2": 0.5}[norm],
        "steps": 10,
        "classes": 3,
    }
    late, early = (net(attacked(name, early_stop=stop, **fields)).argmax(dim=1) != labels for stop in (False, True))
    assert bool((early | ~late).all()) or float((early == late).float().mean()) > 0.98
    assert bool(early.any())


def test_apgd_towards_the_likeliest_classes_is_at_least_as_strong_as_untargeted():
    net, (inputs, labels) = digits_net(), digits(100)
    fields = {"net": net, "inputs": inputs, "labels": labels, "epsilon": 0.1, "steps": 20}
    untargeted, targeted = (accuracy(net, attacked(name, classes=4, **fields), labels) for name in ("apgd_dlr", "apgd_t"))
    assert targeted <= untargeted
    assert accuracy(net, attacked("apgd_t", classes=1, **fields), labels) >= targeted


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", ["apgd_t", "apgd_dlr", "fab", "fab_t"])
def test_two_or_three_classes_are_enough(name, classes):
    net, inputs, labels = linear(SHAPES["image"], classes=classes)
    points = attacked(name, net=net, inputs=inputs, labels=labels, epsilon=0.5, bounds=(-1, 1), steps=10)
    assert bool((net(points).argmax(dim=1) != labels).all())


def test_below_its_number_of_classes_the_logits_ratio_is_the_margin():
    logits, labels, targets = torch.randn(5, 3, generator=generator()), torch.tensor([0, 1, 2, 0, 1]), torch.tensor([1, 2, 0, 2, 0])
    apart = logits.gather(1, targets[:, None]) - logits.gather(1, labels[:, None])
    torch.testing.assert_close(LOSSES["dlr"](logits, labels, targets), apart[:, 0])
    two = logits[:, :2]
    torch.testing.assert_close(LOSSES["dlr"](two, labels % 2, None), LOSSES["margin"](two, labels % 2, None))


def test_the_likeliest_classes_are_ranked_by_mean_logits_and_never_the_label():
    problem = Problem(NET, INPUTS, Goal(LABELS), settings("apgd_t"), generator())
    ranked = likeliest(problem, 3)
    assert not bool((ranked == LABELS[:, None]).any())
    assert torch.equal(ranked[:, 0], NET(INPUTS).scatter(1, LABELS[:, None], -torch.inf).argmax(dim=1))
    assert likeliest(problem, 9).shape == (12, 4)
    noisy = Noisy(size=0.5)
    drawn = Problem(noisy, INPUTS, Goal(LABELS), settings("apgd_t", selection_draws=200), generator(), randomness="batch")
    assert float((likeliest(drawn, 1)[:, 0] == ranked[:, 0]).float().mean()) > 0.6
    assert len(noisy.asked) == 200


def test_a_point_that_was_lucky_once_is_dropped_on_a_randomised_net():
    answers = iter([-1.0, 2.0, -1.0])

    def moody(points):
        first = torch.full((len(points),), next(answers) if torch.any(points != 0.5) else -1.0)
        return torch.stack([torch.zeros_like(first), first], dim=1)

    inputs, labels = torch.full((2, 1, 2, 2), 0.5), torch.zeros(2, dtype=torch.int64)
    chosen = settings("fab", epsilon=0.3)
    problem = Problem(moody, inputs, Goal(labels, loss="margin"), chosen, generator(), randomness="batch")
    nearest = Nearest(problem)
    nearest.offer(inputs + 0.1)
    assert not nearest.sizes.isfinite().any()
    nearest.offer(inputs + 0.1)
    torch.testing.assert_close(nearest.sizes, torch.full((2,), 0.1))
    nearest.offer(inputs + 0.2)
    assert not nearest.sizes.isfinite().any()


@pytest.mark.parametrize("name", ["fab", "fab_t"])
@pytest.mark.parametrize("norm", NORMS)
def test_a_walk_that_steep_teeth_hold_up_comes_back_from_beyond_the_boundary(name, norm):
    def teeth(points):
        """Slope 500 everywhere, yet the boundary, at 0.9, is hundreds of teeth away."""
        values = points.flatten(1).mean(dim=1)
        toothed = 500 * values - (500 * values).floor().detach() - 1.01
        return torch.stack([torch.zeros_like(values), torch.where(values > 0.9, toothed + 2, toothed)], dim=1)

    inputs, labels = torch.full((3, 1, 2, 2), 0.5), torch.zeros(3, dtype=torch.int64)
    watched, length = Watched.all_of(teeth, labels), 1 if norm == "linf" else 2
    points = attacked(name, net=watched, inputs=inputs, labels=labels, norm=norm, epsilon=0.45 * length, steps=60)
    assert bool((teeth(points).argmax(dim=1) == 1).all())
    assert bool((watched.sizes < 0.43 * length).all())


@pytest.mark.parametrize("name", ["fab", "fab_t"])
def test_only_later_runs_start_at_random(name):
    alone = AttackSettings.model_validate({**dict(settings(name)), "restarts": 1})
    several = settings(name, restarts=3)
    assert (alone.randomised, several.randomised) == (False, True)
    before = (random := generator(4)).get_state()
    Problem(NET, INPUTS, Goal(LABELS), alone, random)
    assert torch.equal(random.get_state(), before)
    net, (inputs, labels) = digits_net(), digits(40)
    fields = {"net": net, "inputs": inputs, "labels": labels, "epsilon": 0.08, "steps": 6, "classes": 2}
    one, three = (net(attacked(name, restarts=n, **fields)).argmax(dim=1) != labels for n in (1, 3))
    assert bool((three | ~one).all())


@pytest.mark.parametrize("name", ["apgd_t", "deepfool", "fab", "fab_t"])
def test_an_attack_that_chooses_its_classes_takes_no_target(name):
    with pytest.raises(ValueError, match=f"{name}: target must be none"):
        AttackSettings.model_validate({**dict(settings(name)), "target": "next"})


@pytest.mark.parametrize(
    ("name", "forward", "backward", "queries"),
    [("pgd", 5, 5, 0), ("square", 5, 0, 5), ("apgd_ce", 6, 6, 0), ("noise", 0, 0, 0)],
)
def test_passes_are_counted_in_examples(name, forward, backward, queries):
    watched = Watched.all_of(NET, LABELS)
    attacked(name, net=watched)
    found = watched.passes
    assert (found.forward, found.backward, found.queries) == (12 * forward, 12 * backward, 12 * queries)
    assert not watched.sizes.isfinite().any()
