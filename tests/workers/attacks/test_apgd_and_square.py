"""Auto-PGD and Square against the Adversarial Robustness Toolbox, and against what their papers say."""

import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

from tests.workers.attacks.attacked import INPUTS, LABELS, NET, NORMS, accuracy, attacked, digits, digits_net
from tests.workers.small import generator
from workers.attacks.engine.auto_pgd import _checks
from workers.attacks.engine.losses import LOSSES, Goal
from workers.attacks.engine.random_search import _bump, window_share

EPSILON = {"linf": 0.08, "l2": 0.6}
ART_NORMS = {"linf": np.inf, "l2": 2}


@contextmanager
def without_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def evasion():
    with without_warnings():
        return pytest.importorskip(
            "art.attacks.evasion", reason="needs adversarial-robustness-toolbox (an extra of `dev`)", exc_type=ImportError
        )


def robust_by_art(attack, inputs, labels):
    with without_warnings():
        points = torch.from_numpy(attack.generate(inputs.numpy(), labels.numpy()))
    return accuracy(digits_net(), points, labels)


def classifier():
    from art.estimators.classification import PyTorchClassifier

    with without_warnings():
        return PyTorchClassifier(digits_net(), nn.CrossEntropyLoss(), (1, 8, 8), 10, clip_values=(0, 1), device_type="cpu")


@pytest.mark.parametrize("norm", ["linf", pytest.param("l2", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("name", "loss"), [("apgd_ce", "cross_entropy"), ("apgd_dlr", "difference_logits_ratio")])
def test_robust_accuracy_under_auto_pgd_is_that_of_art_within_a_point(evasion, norm, name, loss):
    inputs, labels = digits(400)
    epsilon = EPSILON[norm]
    theirs = evasion.AutoProjectedGradientDescent(
        classifier(), norm=ART_NORMS[norm], eps=epsilon, eps_step=2 * epsilon, max_iter=50, nb_random_init=1, loss_type=loss,
        batch_size=400, verbose=False,
    )  # fmt: skip
    np.random.seed(0)
    expected = robust_by_art(theirs, inputs, labels)
    ours = accuracy(
        digits_net(), attacked(name, net=digits_net(), inputs=inputs, labels=labels, norm=norm, epsilon=epsilon, steps=50), labels
    )
    print(f"{name} {norm}: ours {ours:.4f}, ART's {expected:.4f}")
    assert 0.1 < ours < 0.9
    assert ours <= expected + 0.01
    assert ours >= expected - (0.01 if name == "apgd_ce" else 0.03)


@pytest.mark.parametrize("norm", ["linf", pytest.param("l2", marks=pytest.mark.slow)])
def test_robust_accuracy_under_square_is_no_higher_than_arts_at_the_same_number_of_queries(evasion, norm):
    inputs, labels = digits(200)
    epsilon = EPSILON[norm]
    theirs = evasion.SquareAttack(
        classifier(), norm=ART_NORMS[norm], eps=epsilon, max_iter=300, p_init=0.8, nb_restarts=1, batch_size=200, verbose=False
    )
    np.random.seed(0)
    expected = robust_by_art(theirs, inputs, labels)
    ours = accuracy(
        digits_net(), attacked("square", net=digits_net(), inputs=inputs, labels=labels, norm=norm, epsilon=epsilon, steps=300), labels
    )
    print(f"square {norm}: ours {ours:.4f}, ART's {expected:.4f}")
    assert ours <= expected + 0.03


@pytest.mark.parametrize("norm", NORMS)
def test_auto_pgd_is_at_least_as_strong_as_pgd_with_as_many_steps(norm):
    inputs, labels = digits(400)
    fields = {"net": digits_net(), "inputs": inputs, "labels": labels, "norm": norm, "epsilon": EPSILON[norm], "steps": 20}
    pgd, apgd = (accuracy(digits_net(), attacked(name, **fields), labels) for name in ("pgd", "apgd_ce"))
    assert apgd <= pgd + 0.005


@pytest.mark.parametrize("norm", ["linf", pytest.param("l2", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["apgd_ce", "square"])
def test_robust_accuracy_falls_with_the_number_of_steps_or_queries(name, norm):
    inputs, labels = digits(200)
    budgets = [1, 10, 100, 600] if name == "square" else [1, 3, 10, 40]
    fields = {"net": digits_net(), "inputs": inputs, "labels": labels, "norm": norm, "epsilon": 1.5 * EPSILON[norm]}
    curve = [accuracy(digits_net(), attacked(name, steps=steps, **fields), labels) for steps in budgets]
    assert curve == sorted(curve, reverse=True)
    assert curve[-1] < curve[0] - (0.1 if name == "square" else 0.02), curve


@pytest.mark.parametrize("name", ["apgd_ce", "apgd_dlr", "square"])
@pytest.mark.parametrize("norm", NORMS)
def test_leaving_early_changes_no_outcome_of_an_attack_that_keeps_its_best_point(name, norm):
    inputs, labels = digits(150)
    fields = {"net": digits_net(), "inputs": inputs, "labels": labels, "norm": norm, "epsilon": EPSILON[norm], "steps": 40}
    late, early = (digits_net()(attacked(name, early_stop=stop, **fields)).argmax(dim=1) != labels for stop in (False, True))
    assert float((late == early).float().mean()) >= 0.99
    assert bool(early.any())


@pytest.mark.parametrize(("name", "per_step", "first"), [("apgd_ce", 1, 1), ("square", 1, 0)])
def test_a_deterministic_net_is_asked_once_a_step(name, per_step, first):
    calls = []
    attacked(name, net=lambda points: calls.append(1) or NET(points), steps=9)
    assert len(calls) == 9 * per_step + first


def test_the_best_point_of_auto_pgd_is_the_best_that_it_has_seen():
    seen = []
    best = attacked("apgd_ce", net=lambda points: seen.append(points.detach().clone()) or NET(points), steps=12)
    losses = torch.stack([nn.functional.cross_entropy(NET(points), LABELS, reduction="none") for points in seen])
    fooled = torch.stack([NET(points).argmax(dim=1) != LABELS for points in seen])
    score = losses + 100 * fooled
    found = nn.functional.cross_entropy(NET(best), LABELS, reduction="none") + 100 * (NET(best).argmax(dim=1) != LABELS)
    torch.testing.assert_close(found, score.amax(dim=0), rtol=0, atol=1e-12)


def test_step_sizes_are_checked_where_the_paper_says():
    """Croce & Hein (2020), section 3.2: p = 0, 0.22, then each gap 0.03 shorter, down to 0.06."""
    assert list(_checks(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert list(_checks(1)) == [1]
    assert all(since >= 1 and done <= 7 for done, since in _checks(7).items())


def test_on_a_plateau_the_step_is_halved_and_shorter_steps_find_the_ridge():
    """A loss with its maximum well inside the ball: steps of 2 epsilon jump over it, halved ones come near."""

    def ridge(points):
        height = -(points - 0.53).abs().flatten(1).sum(dim=1)
        return torch.stack([-height, torch.zeros_like(height)], dim=1)

    middle, labels = torch.full((2, 1, 4, 4), 0.5, dtype=torch.float64), torch.zeros(2, dtype=torch.int64)
    far, near = (attacked("apgd_ce", net=ridge, inputs=middle, labels=labels, epsilon=0.2, steps=steps) for steps in (2, 100))
    assert float((near - 0.53).abs().max()) < 0.005
    assert float((far - 0.53).abs().max()) > 0.02


def test_squares_windows_shrink_as_the_schedule_says():
    shares = [window_share(query, queries=10_000) for query in (0, 10, 11, 51, 201, 501, 1001, 2001, 4001, 6001, 8001, 9999)]
    assert shares == [0.8, 0.8, *(0.8 / 2**k for k in (1, 2, 3, 4, 5, 6, 7, 8, 9, 9))]
    assert window_share(50, queries=100) == window_share(5000, queries=10_000)


def test_square_under_linf_starts_with_stripes_and_moves_one_window_of_each_example_to_a_corner():
    seen = []
    inputs = torch.full_like(INPUTS, 0.5)
    attacked("square", net=lambda points: seen.append(points.clone()) or NET(points), inputs=inputs, steps=2)
    first, second = (points - 0.5 for points in seen)
    torch.testing.assert_close(first.abs(), torch.full_like(first, 0.06))
    assert torch.equal(first, first[:, :, :1].expand_as(first))
    changed = (second != first).any(dim=1)
    places = set()
    for example in changed:
        rows, columns = example.any(dim=1).nonzero().flatten(), example.any(dim=0).nonzero().flatten()
        if len(rows):
            assert len(rows) <= 7
            places.add((int(rows[0]), int(columns[0])))
    assert len(places) > 1


def test_squares_windows_reach_every_point_the_last_row_and_column_too():
    """Algorithm 2 of the paper draws a window's corner from 0 to w - h, both included."""
    seen = []
    attacked("square", net=lambda points: seen.append(points.clone()) or NET(points), inputs=torch.full_like(INPUTS, 0.5), steps=50)
    first, *others = seen
    assert bool((torch.stack(others) != first).flatten(0, 2).any(dim=0).all())


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("side", [3, 4, 7])
def test_a_bump_has_length_one_and_two_halves_of_opposite_signs(side, axes):
    bump = _bump(side, axes=axes, like=torch.zeros(1, dtype=torch.float64))
    assert float(bump.norm()) == pytest.approx(1)
    assert bool((bump[: side // 2] > 0).all())
    assert bool((bump[side // 2 :] < 0).all())


def test_points_of_square_under_l2_have_length_epsilon_where_nothing_is_cut_off():
    seen = []
    inputs = torch.full_like(INPUTS, 0.5)
    attacked("square", net=lambda points: seen.append(points.clone()) or NET(points), inputs=inputs, norm="l2", epsilon=0.5, steps=30)
    lengths = torch.stack([(points - 0.5).flatten(1).norm(dim=1) for points in seen])
    torch.testing.assert_close(lengths, torch.full_like(lengths, 0.5), rtol=1e-9, atol=0)


LOGITS = torch.randn(6, 5, generator=generator(3), dtype=torch.float64) * 3
TARGETS = (LABELS[:6] + 2) % 5


def test_losses_are_their_formulas():
    for row in range(6):
        z, y, t = LOGITS[row], int(LABELS[row]), int(TARGETS[row])
        others, ordered = torch.cat([z[:y], z[y + 1 :]]), z.sort(descending=True).values
        expected = {
            ("ce", False): -z.log_softmax(dim=0)[y],
            ("ce", True): z.log_softmax(dim=0)[t],
            ("margin", False): others.max() - z[y],
            ("margin", True): z[t] - torch.cat([z[:t], z[t + 1 :]]).max(),
            ("dlr", False): -(z[y] - others.max()) / (ordered[0] - ordered[2] + 1e-12),
            ("dlr", True): -(z[y] - z[t]) / (ordered[0] - (ordered[2] + ordered[3]) / 2 + 1e-12),
        }
        for (loss, targeted), value in expected.items():
            found = LOSSES[loss](LOGITS, LABELS[:6], TARGETS if targeted else None)[row]
            torch.testing.assert_close(found, value)


def test_the_logits_ratio_is_blind_to_shift_and_scale():
    for targets in (None, TARGETS):
        one, other = (LOSSES["dlr"](logits, LABELS[:6], targets) for logits in (LOGITS, 1000 * LOGITS + 7))
        torch.testing.assert_close(one, other)


def test_the_goal_is_another_class_or_the_target():
    predicted = LOGITS.argmax(dim=1)
    assert torch.equal(Goal(LABELS[:6]).reached(LOGITS), predicted != LABELS[:6])
    assert torch.equal(Goal(LABELS[:6], TARGETS).reached(LOGITS), predicted == TARGETS)
