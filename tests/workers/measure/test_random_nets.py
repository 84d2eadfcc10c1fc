"""Attacks on randomised nets: averaged gradients, and no trust in a single evaluation."""

import pytest
import torch
from torch import nn

from tests.builders import attack_settings
from tests.workers.attacks.attacked import INPUTS, LABELS, NAMES, NET, NORMS, Noisy, attacked, brief, settings
from tests.workers.small import generator, network, run_attack, split
from workers.attacks.engine import Problem, input_gradient
from workers.attacks.engine.losses import LOSSES, Goal
from workers.attacks.engine.queries import compared, gradient
from workers.errors import UserError
from workers.measure.evaluate import attacker, correct_flags, craft
from workers.spec.component import DefenceSpec

SELECTING = ["apgd_ce", "apgd_dlr", "square"]
DATA = split(20)


def problem(net, *, randomness, **fields):
    return Problem(net, INPUTS, Goal(LABELS), settings("pgd", restarts=2, **fields), generator(), randomness=randomness)


@pytest.mark.parametrize("draws", ["batch", "example"])
@pytest.mark.parametrize("samples", [1, 2, 5])
def test_an_eot_gradient_is_the_mean_over_fresh_draws(draws, samples):
    found, _ = gradient(problem(Noisy(draws=draws), randomness=draws, eot_samples=samples), INPUTS)
    again, shape = Noisy(draws=draws), (samples * len(INPUTS), 2, 8, 8)
    if draws == "example":  # one call with all copies, as the averaging makes it
        points = INPUTS.repeat(samples, 1, 1, 1)
        expected = input_gradient(again, points, LABELS.repeat(samples)).view(samples, *INPUTS.shape).mean(dim=0)
        assert [points.shape for points in again.asked] == [shape]
    else:
        expected = torch.stack([input_gradient(again, INPUTS, LABELS) for _ in range(samples)]).mean(dim=0)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize(("draws", "calls"), [("batch", 5), ("example", 1)])
def test_draws_per_example_take_one_batched_pass_and_draws_per_batch_one_each(draws, calls):
    net = Noisy(draws=draws)
    gradient(problem(net, randomness=draws, eot_samples=5), INPUTS)
    assert len(net.asked) == calls
    assert sum(len(points) for points in net.asked) == 5 * len(INPUTS)


def test_copies_that_would_not_fit_go_in_several_passes(monkeypatch):
    from workers.attacks.engine import queries as views

    monkeypatch.setattr(views, "_EXAMPLES_PER_PASS", {"cpu": 30})
    net = Noisy(draws="example")
    found, logits = gradient(problem(net, randomness="example", eot_samples=5), INPUTS)
    assert [len(points) for points in net.asked] == [24, 24, 12]
    assert (found.shape, logits.shape) == (INPUTS.shape, (12, 5))


def test_a_net_without_randomness_is_asked_once_whatever_the_samples():
    calls = []
    found, _ = gradient(problem(lambda x: calls.append(1) or NET(x), randomness="none", eot_samples=9), INPUTS)
    assert len(calls) == 1
    assert torch.equal(found, input_gradient(NET, INPUTS, LABELS))


def test_more_samples_bring_the_gradient_nearer_to_the_expected_one():
    expected, _ = gradient(problem(Noisy(size=1.0), randomness="batch", eot_samples=2000), INPUTS)

    def distance(samples):
        found, _ = gradient(problem(Noisy(size=1.0, seed=3), randomness="batch", eot_samples=samples), INPUTS)
        return float((found - expected).norm())

    few, many = distance(2), distance(50)
    assert many < few / 3  # its error falls with the root of the samples: 5 times


@pytest.mark.parametrize("draws", ["batch", "example"])
def test_eot_climbs_the_expected_loss_higher_than_single_draws_do(draws):
    def expected_loss(points):
        net = Noisy(size=1.0, seed=77)
        return sum(float(nn.functional.cross_entropy(net(points), LABELS)) for _ in range(300)) / 300

    found = {}
    for samples in (1, 20):
        runs = [
            attacked("pgd", net=Noisy(size=1.0, draws=draws, seed=k), randomness=draws, eot_samples=samples, steps=8, epsilon=0.2, seed=k)
            for k in range(3)
        ]
        found[samples] = sum(expected_loss(points) for points in runs)
    assert found[20] > found[1]


def test_candidates_are_judged_on_the_same_draws():
    """Noise that shifts every loss alike must not tell two equal points apart."""
    (one, other) = compared(problem(Noisy(size=3.0), randomness="batch", selection_draws=4), INPUTS, INPUTS.clone())
    assert torch.equal(one.losses, other.losses)
    assert not one.reached.any()


PER_EXAMPLE = {
    "sketch": {"theta": 0.7, "draws": "example"},
    "dropout": {"defence": DefenceSpec.model_validate({"name": "defensive_dropout", "dropout": 0.5})},
    "pruning": {"defence": DefenceSpec(name="stochastic_activation_pruning")},
    "resize and pad": {"defence": DefenceSpec(name="random_resize_pad")},
}


@pytest.mark.parametrize("made", PER_EXAMPLE.values(), ids=PER_EXAMPLE)
def test_candidates_of_an_example_share_its_draw_where_draws_are_per_example(made):
    """A draw of its own for each copy would tell two equal points apart, and Square would keep what was lucky."""
    net = network(width=2, **made)
    net.seed(0)
    inputs, labels = DATA.batch(slice(0, 4))
    posed = Problem(net, inputs, Goal(labels), settings("square", selection_draws=2), generator(), randomness="example")
    first, second = compared(posed, inputs, inputs.clone())
    assert torch.equal(first.losses, second.losses)
    (again,) = compared(posed, inputs)
    assert not torch.equal(first.losses, again.losses)  # the draws themselves are fresh ones


def test_a_verdict_on_a_random_net_is_the_mean_over_fresh_draws():
    (found,) = compared(problem(Noisy(), randomness="batch", selection_draws=6), INPUTS)
    net = Noisy()
    expected = torch.stack([nn.functional.cross_entropy(net(INPUTS), LABELS, reduction="none") for _ in range(6)]).mean(dim=0)
    torch.testing.assert_close(found.losses, expected, rtol=0, atol=1e-14)


class Lucky:
    """A net that no point fools, larger points having higher losses, but for one call, which takes everything for class 1."""

    def __init__(self, *, at):
        self.at, self.calls = at, 0

    def __call__(self, points):
        self.calls += 1
        rightness = 3 - points.flatten(1).mean(dim=1)
        others = torch.full_like(rightness, 5.0 if self.calls == self.at else 0.0)
        return torch.stack([rightness, others, others - 1, others - 2, others - 3], dim=1)


@pytest.mark.parametrize("name", SELECTING)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("at", [1, 2, 7, 20])
def test_a_point_that_fooled_the_net_in_one_lucky_evaluation_is_not_kept(name, norm, at):
    """AutoAttack's trap: what it does, freeze the lucky point, is what we do where we are told that nothing is random."""
    labels, middle = torch.zeros(3, dtype=torch.int64), torch.full((3, 2, 8, 8), 0.5, dtype=torch.float64)

    def height(**given):
        return float(attacked(name, inputs=middle, labels=labels, norm=norm, steps=100, **given).mean())

    honest = height(net=Lucky(at=-1))
    assert height(net=Lucky(at=at), randomness="batch", selection_draws=4) == pytest.approx(honest, abs=1e-12)
    if at == 1:
        assert height(net=Lucky(at=at)) < honest - 0.01


@pytest.mark.parametrize("name", SELECTING)
@pytest.mark.parametrize("norm", NORMS)
def test_on_a_random_net_the_chosen_points_have_a_higher_expected_loss_than_the_clean_ones(name, norm):
    def expected_loss(points):
        net = Noisy(size=0.5, seed=77)
        return sum(float(nn.functional.cross_entropy(net(points), LABELS)) for _ in range(200)) / 200

    found = attacked(name, net=Noisy(size=0.5), norm=norm, randomness="batch", selection_draws=4, steps=60)
    assert expected_loss(found) > expected_loss(INPUTS) + 0.02


@pytest.mark.parametrize("name", ["pgd", "apgd_ce", "square", "noise"])
def test_restarts_on_a_random_net_are_chosen_by_mean_losses(name):
    """Where the draws say nothing, the run with the highest loss is kept, whether it fools the net or not."""
    loss = LOSSES[settings(name).loss]
    runs = [attacked(name, net=Noisy(size=0.0), restarts=n, selection_draws=2, randomness="batch", steps=1) for n in (1, 3)]
    single, best = (loss(NET(points), LABELS, None) for points in runs)
    assert bool((best >= single - 1e-12).all())
    assert bool((best > single).any())


@pytest.mark.parametrize("name", NAMES)
def test_leaving_early_is_refused_on_a_random_net(name):
    chosen = settings(name, restarts=2, early_stop=True)
    if chosen.early_stop:
        with pytest.raises(UserError, match=r"^early_stop=true: the net is randomised"):
            run_attack(Noisy(), INPUTS, LABELS, settings=chosen, generator=generator(), randomness="batch")


@pytest.mark.parametrize(
    "fields", [{"name": "pgd", "restarts": 2}, {"name": "square"}, {"name": "apgd_ce"}, {"name": "bim", "target": "least_likely"}]
)
def test_choosing_by_one_draw_is_refused_on_a_random_net(fields):
    name = fields.pop("name")
    with pytest.raises(UserError, match=r"^selection_draws=1: the net is randomised, and one draw must not choose"):
        attacked(name, net=Noisy(), randomness="batch", **fields)
    attacked(name, net=Noisy(), randomness="none", **fields)


@pytest.mark.parametrize("draws", ["batch", "example"])
@pytest.mark.parametrize("name", NAMES)
def test_every_attack_runs_on_a_sketched_net_with_either_kind_of_draws(name, draws):
    net = network(width=2, theta=0.8, draws=draws)
    chosen = attack_settings(name=name, epsilon=0.1, steps=2, eot_samples=2, selection_draws=2, **brief(name))
    flags = correct_flags(net, DATA, batch_size=8, perturb=attacker(net, chosen, generator=generator()))
    assert flags.shape == (1, 20)


def test_a_sketched_net_tells_the_attack_that_it_is_random_and_its_full_weights_that_they_are_not():
    net, chosen = network(width=4, theta=0.8), attack_settings(name="square", epsilon=0.1, steps=3)
    with pytest.raises(UserError, match="selection_draws=1"):
        correct_flags(net, DATA, batch_size=8, perturb=attacker(net, chosen, generator=generator()))
    craft(net, DATA, chosen, batch_size=8, generator=generator())


def test_a_net_whose_body_draws_is_no_deterministic_one_to_an_attack():
    net = network(width=2)
    assert net.randomness == "none"
    net.randomised_body = True
    with net.full_weights():
        assert net.randomness == "batch"
