import pytest
import torch
from torch import nn

from tests.builders import diagnose_job
from tests.workers.runtime.chain import FULL, MODEL, Done, run_all
from tests.workers.small import network, split
from workers.artifacts.outcomes import DiagnosisOutcome
from workers.errors import JobError
from workers.measure.diagnose import diagnose
from workers.registry import DATASETS
from workers.spec.diagnosis import DiagnosisSettings, probes
from workers.spec.keys import derive_seed

SMALL = {"examples": 20, "steps": 2, "more_steps": 3, "queries": 4}
STILL = diagnose_job(FULL, **SMALL)
RANDOM = diagnose_job(MODEL, **SMALL, draws=3, eot_samples=2, selection_draws=2)
DETERMINISTIC = ["noise", "fgsm", "pgd", "pgd_longer", "pgd_margin", "square", "unbounded"]


def settings(**given):
    still = {"eot_samples": 1, "selection_draws": 1, "draws": 1}
    return DiagnosisSettings(epsilon=8 / 255, epsilon_literal="8/255", batch_size=4, **{**SMALL, **still, "examples": 8, **given})


def diagnosed(net, **given):
    return diagnose(net, split(8), settings(**given), seeds=lambda purpose: derive_seed("key", purpose), surrogate=lambda: network(width=2))


class Broken(nn.Module):
    """A net's body whose gradient is what `spoilt` makes of it; its logits are as they were."""

    def __init__(self, body, spoilt):
        super().__init__()
        self.body, self.spoilt = body, spoilt

    def forward(self, inputs):
        points = inputs.clone()
        if points.requires_grad:
            points.register_hook(lambda slopes: self.spoilt(slopes.clone()))
        return self.body(points)


def broken(spoilt):
    net = network(width=2)
    net.body = Broken(net.body, spoilt)
    return net


def with_first(value):
    def spoilt(slopes):
        slopes[0] = value
        return slopes

    return spoilt


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Done:
    return run_all([FULL, MODEL, STILL, RANDOM], tmp_path_factory.mktemp("artifacts"))


def test_a_diagnosis_tries_its_probes_in_order_on_one_draw_where_nothing_is_random(done):
    outcome = done[STILL].outcome
    assert isinstance(outcome, DiagnosisOutcome)
    assert (outcome.n_examples, outcome.draws) == (20, 1)
    assert [(probe.name, probe.knowledge) for probe in outcome.probes] == [(name, "randomized") for name in DETERMINISTIC]
    assert all(probe.draws == 1 and 0 <= probe.n_correct <= 20 and not probe.failure for probe in outcome.probes)


def test_a_randomised_model_meets_an_adaptive_attacker_and_several_fresh_draws(done):
    outcome = done[RANDOM].outcome
    assert [probe.name for probe in outcome.probes if probe.knowledge == "eot"] == ["eot_pgd", "unbounded"]
    assert {probe.draws for probe in outcome.probes} == {outcome.draws} == {3}
    assert all(probe.attack.eot_samples == (2 if probe.knowledge == "eot" else 1) for probe in outcome.probes)


@pytest.mark.parametrize("job", [STILL, RANDOM], ids=["deterministic", "randomised"])
def test_the_same_diagnosis_finds_the_same_again(job, done, tmp_path):
    again = run_all([FULL, MODEL, job], tmp_path)
    assert again[job].outcome == done[job].outcome


def test_a_probes_figures_do_not_depend_on_those_before_it(done):
    net = network(width=2, theta=0.8)
    short, long = (diagnosed(net, queries=queries, draws=2, selection_draws=2, eot_samples=2).probes for queries in (2, 6))
    unlike = {one.name for one, other in zip(short, long, strict=True) if one.attack != other.attack}
    assert unlike == {"square"}
    assert all(one == other for one, other in zip(short, long, strict=True) if one.name != "square")


def test_a_sound_net_has_neither_zero_nor_infinite_gradients(done):
    for job in (STILL, RANDOM):
        assert (done[job].outcome.zero_gradients, done[job].outcome.nonfinite_gradients) == (0, 0)


def test_gradients_of_zero_are_counted():
    assert diagnosed(broken(torch.zeros_like)).zero_gradients == 1
    # Two batches of four, the first of each without a gradient.
    assert diagnosed(broken(with_first(0.0))).zero_gradients == 0.25


def test_a_draw_without_gradient_masks_nothing_where_others_have_one():
    """A sketch may leave nothing of a layer; but a gradient that is not finite in one draw spoils what is averaged over them."""
    calls = iter(range(1000))

    def in_every_other_draw(value):
        return broken(lambda slopes: slopes.fill_(value) if next(calls) % 2 else slopes)

    assert diagnosed(in_every_other_draw(0.0), draws=4).zero_gradients == 0
    assert diagnosed(in_every_other_draw(float("nan")), draws=4).nonfinite_gradients == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_gradients_that_are_not_finite_are_counted_and_stop_nothing(value):
    outcome = diagnosed(broken(with_first(value)))
    assert (outcome.zero_gradients, outcome.nonfinite_gradients) == (0, 0.25)
    assert [probe.name for probe in outcome.probes] == DETERMINISTIC


def test_an_attack_that_ends_at_no_point_at_all_is_recorded_with_its_reason(monkeypatch):
    monkeypatch.setattr("workers.measure.evaluate.attack_of", lambda _: lambda *given, **_: given[1] * float("nan"))
    outcome = diagnosed(network(width=2))
    assert all("not finite" in probe.failure for probe in outcome.probes)
    assert all((probe.draws, probe.n_correct, probe.flags) == (0, 0, "") for probe in outcome.probes)


def test_an_attack_that_leaves_its_ball_still_fails_the_job(monkeypatch):
    monkeypatch.setattr("workers.measure.evaluate.attack_of", lambda _: lambda *given, **_: 1 - given[1])
    with pytest.raises(JobError, match="outside the ball"):
        diagnosed(network(width=2))


@pytest.mark.parametrize("randomised", [False, True])
def test_iterative_probes_can_cross_their_ball_and_the_unbounded_one_the_input_range(randomised):
    found = {probe.name: probe.attack for probe in probes(settings(), half_range=0.5, randomised=randomised)}
    for name in ("pgd", "pgd_longer", "pgd_margin", "unbounded"):
        assert found[name].steps * found[name].settings.abs_stepsize >= 2 * found[name].epsilon
    assert (found["unbounded"].epsilon, found["unbounded"].epsilon_literal) == (0.5, "0.5")
    assert (found["pgd"].steps, found["pgd_longer"].steps, found["square"].steps) == (2, 3, 4)
    assert found["pgd_margin"].loss == "margin"
    assert ("eot_pgd" in found) == randomised


@pytest.mark.parametrize("name", DATASETS.names())
def test_half_of_the_input_range_reaches_the_middle_from_every_input(name):
    info = DATASETS[name].facts.info
    assert info.half_range == (info.high - info.low) / 2


def test_a_binary_nets_signs_are_differentiated_as_asked():
    asked = []
    net = network(width=2, binary=True)
    using = net.sign_gradient
    net.sign_gradient = lambda name: asked.append(name) or using(name)
    outcome = diagnosed(net, sign_gradient="tanh")
    assert set(asked) == {"tanh", "identity"}
    by_gradient = {probe.attack.sign_gradient for probe in outcome.probes if probe.name not in ("noise", "square")}
    assert by_gradient == {"tanh"}


THOROUGH = ["noise", "fgsm", "pgd", "pgd_longer", "pgd_margin", "apgd_ce", "apgd_dlr", "smoothed_pgd", "transfer", "square_half", "square"]


def test_a_full_diagnosis_tries_more_and_square_goes_on_with_those_that_stand():
    outcome = diagnosed(network(width=2), depth="full", queries=8)
    found = {probe.name: probe for probe in outcome.probes}
    assert [name for name in found if not name.startswith("square_")] == [*(n for n in THOROUGH if n != "square_half"), "unbounded"]
    assert found["transfer"].knowledge == "transfer"
    assert all(found[name].attack.early_stop for name in ("apgd_ce", "apgd_dlr", "smoothed_pgd", "square"))
    assert (found["square_half"].attack.steps, found["square"].attack.steps) == (4, 8)
    assert found["square"].n_correct <= found["square_half"].n_correct


def test_a_randomised_net_has_no_example_leave_early():
    outcome = diagnosed(network(width=2, theta=0.8), depth="full", draws=2, selection_draws=2, eot_samples=2)
    found = {probe.name: probe for probe in outcome.probes}
    assert list(found) == [*THOROUGH[:7], "eot_pgd", "smoothed_pgd", "transfer", "square", "unbounded"]
    assert not any(probe.attack.early_stop for probe in outcome.probes)


def test_logits_that_are_clipped_have_no_margin_to_climb():
    """The cross-entropy still has a gradient, through the smallest logit; the margin has one only where that is the label's."""
    net = network(width=2)
    net.body = nn.Sequential(net.body, Clipped())
    assert diagnosed(net).zero_gradients == 0
    assert 0.5 < diagnosed(net, depth="full").zero_gradients <= 1


class Clipped(nn.Module):
    """Logits as they were, of which the smallest alone has a gradient."""

    def forward(self, logits):
        return torch.where(logits > logits.amin(dim=1, keepdim=True), logits.detach(), logits)


def test_the_longer_attack_must_be_longer():
    with pytest.raises(ValueError, match="more_steps=2: must be more than steps, which is 2"):
        settings(more_steps=2)
