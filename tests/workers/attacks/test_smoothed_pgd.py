"""PGD along gradients averaged over noisy inputs: what it sees, and what masks it sees through."""

import pytest
import torch
from torch import nn

from tests.workers.attacks.attacked import EPSILON, INPUTS, NET, NORMS, Noisy, accuracy, attacked, digits, digits_net
from workers.attacks.engine import input_gradient


class Recorded:
    """`NET`, and the points that it was asked about."""

    def __init__(self, net=NET):
        self.net, self.asked = net, []

    def __call__(self, points):
        self.asked.append(points.detach().clone())
        return self.net(points)


class Stairs(nn.Module):
    """Stairs with smooth, steep ramps before a net: between the ramps the gradient all but vanishes, and nowhere is it zero."""

    def __init__(self, net, *, steps=16, slope=60.0):
        super().__init__()
        self.net, self.steps, self.slope = net, steps, slope

    def forward(self, points):
        scaled = points * self.steps
        floor = scaled.floor()
        return self.net((floor + torch.sigmoid(self.slope * (scaled - floor - 0.5))) / self.steps)


@pytest.mark.parametrize("norm", NORMS)
def test_without_noise_to_speak_of_it_is_pgd(norm):
    found = attacked("smoothed_pgd", norm=norm, samples=2, sigma=1e-12)
    torch.testing.assert_close(found, attacked("pgd", norm=norm), rtol=0, atol=1e-8)


@pytest.mark.parametrize(("norm", "size"), [("linf", 0.5 * EPSILON["linf"]), ("l2", 0.5 * EPSILON["l2"] / 128**0.5)])
def test_noise_is_as_large_as_sigma_says_and_new_in_every_sample(norm, size):
    net = Recorded()
    attacked("smoothed_pgd", net=net, inputs=INPUTS / 1e3 + 0.5, norm=norm, steps=1, samples=40, sigma=0.5)
    asked = torch.stack(net.asked)
    assert len(asked) == 40
    noise = asked - asked.mean(dim=0)
    assert float(noise.std()) == pytest.approx(size, rel=0.03)
    assert len({float(points.sum()) for points in asked}) == 40


def test_noisy_points_are_legal_inputs():
    net = Recorded()
    attacked("smoothed_pgd", net=net, samples=5, sigma=20.0)
    assert all(0 <= float(points.min()) < 1e-9 and 1 - 1e-9 < float(points.max()) <= 1 for points in net.asked)


@pytest.mark.parametrize(("randomness", "samples", "draws"), [("none", 3, 1), ("batch", 3, 2), ("batch", 1, 4)])
def test_each_noisy_input_has_draws_of_its_own(randomness, samples, draws):
    net = Recorded() if randomness == "none" else Noisy()
    attacked("smoothed_pgd", net=net, steps=2, samples=samples, eot_samples=draws, randomness=randomness)
    assert len(net.asked) == 2 * samples * draws


def test_with_early_stop_the_points_themselves_decide():
    net, (inputs, labels) = digits_net(), digits(100)
    fields = {"net": net, "inputs": inputs, "labels": labels, "epsilon": 0.2, "abs_stepsize": 0.03, "steps": 8, "samples": 2}
    plain, stopped = (attacked("smoothed_pgd", early_stop=early, **fields) for early in (False, True))
    assert max(accuracy(net, points, labels) for points in (plain, stopped)) < 0.1
    assert float((stopped - inputs).abs().sum()) < 0.8 * float((plain - inputs).abs().sum())


def test_a_smooth_staircase_hides_a_net_from_pgd_and_not_from_smoothed_gradients():
    net, (inputs, labels) = Stairs(digits_net()), digits(100)
    fields = {"net": net, "inputs": inputs, "labels": labels, "epsilon": 0.15, "abs_stepsize": 0.02, "steps": 20}
    left = {name: accuracy(net, attacked(name, **fields), labels) for name in ("pgd", "smoothed_pgd")}
    assert left["smoothed_pgd"] < 0.15
    assert left["pgd"] > left["smoothed_pgd"] + 0.3, left


def test_a_net_without_a_graph_has_the_gradient_zero():
    def detached(points):
        return NET(points.detach())

    assert not input_gradient(detached, INPUTS, torch.zeros(len(INPUTS), dtype=torch.long)).any()
    assert torch.equal(attacked("bim", net=detached), INPUTS)
