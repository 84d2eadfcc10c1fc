"""`foolbox:NAME`: every attack of Foolbox's that can be had is Foolbox's, in our ball, from our generator; the others say why not."""

import warnings
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from orchestrator.api.networks import attacked as attacked_by_hand
from tests.workers.attacks.attacked import Noisy, digits, digits_net
from tests.workers.small import generator, run_attack
from workers.attacks.engine import Watched, check_examples
from workers.attacks.schemes import foolbox as scheme
from workers.errors import JobError, NonFiniteError, UserError
from workers.measure.evaluate import attacker
from workers.registry import ATTACKS
from workers.spec.attack import AttackSettings, settled

_EPSILON = {"l2": 1.0, "linf": 0.12}
_FEW = {
    "steps": 4,
    "repeats": 3,
    "directions": 40,
    "initial_gradient_eval_steps": 3,
    "max_gradient_eval_steps": 3,
    "binary_search_steps": 3,
}
_HUNDREDS_OF_QUERIES_A_PIXEL = ("PointwiseAttack",)
_DIVIDES_BY_ZERO = "NewtonFoolAttack"
"""Foolbox's NewtonFool divides by the gradient's length, which is 0 for an example that is predicted with probability 1."""


class OfDigits(nn.Module):
    """The digits' net as measurements know networks."""

    randomness, bounds = "none", (0.0, 1.0)

    def forward(self, inputs):
        return digits_net()(inputs)

    def sign_gradient(self, name):
        assert name == "identity"
        return nullcontext()


def own(name, **settings):
    fields = ATTACKS[f"foolbox:{name}"].settings.model_fields
    return {setting: value for setting, value in {**_FEW, **settings}.items() if setting in fields}


def asked(name, *, norm=None, epsilon=None, settings=(), **more):
    norm = norm or ATTACKS[f"foolbox:{name}"].facts.own_norm
    epsilon = epsilon or _EPSILON[norm]
    given = {"name": f"foolbox:{name}", "norm": norm, "epsilon": epsilon, "epsilon_literal": f"{epsilon}", **more}
    return AttackSettings.model_validate(
        {**given, "settings": own(name, **dict(settings)), **settled(AttackSettings.model_construct(**given))}
    )


def points_of(name, *, count=8, seed=0, net=None, **more):
    inputs, labels = digits(count)
    return run_attack(net or digits_net(), inputs, labels, settings=asked(name, **more), generator=generator(seed))


def theirs(name, *, count=8, epsilon, settings):
    """Foolbox's own call: its points clipped to the ball, and the examples that they fool."""
    import foolbox

    inputs, labels = digits(count)
    model = foolbox.PyTorchModel(digits_net(), bounds=(0, 1), device="cpu")
    _, points, fooled = getattr(foolbox.attacks, name)(**settings)(model, inputs, labels, epsilons=epsilon)
    return points, fooled


@pytest.fixture(autouse=True)
def _imported():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Foolbox imports a name that SciPy will drop
        import foolbox  # noqa: F401


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("L2DeepFoolAttack", {"steps": 10, "overshoot": 0.1}),
        ("LinfDeepFoolAttack", {"steps": 10, "loss": "crossentropy", "candidates": 3}),
        ("L2FMNAttack", {"steps": 20}),
        ("LInfFMNAttack", {"steps": 20}),
        ("L2CarliniWagnerAttack", {"steps": 20, "binary_search_steps": 3, "initial_const": 1.0}),
        ("L2BasicIterativeAttack", {"steps": 5, "rel_stepsize": 0.3}),
        ("LinfMomentumIterativeFastGradientMethod", {"steps": 5, "momentum": 0.5}),
        ("LinfFastGradientAttack", {}),
        ("LinfAdamBasicIterativeAttack", {"steps": 5}),
    ],
)
def test_points_and_fooled_examples_are_those_of_foolboxs_own_call(name, settings):
    chosen = asked(name, settings=settings)
    if chosen.facts.minimises:
        chosen = asked(name, settings=settings, early_stop=True)  # as Foolbox's call does
    expected, fooled = theirs(name, epsilon=chosen.epsilon, settings=settings)
    inputs, labels = digits(8)
    points = run_attack(digits_net(), inputs, labels, settings=chosen, generator=generator())
    torch.testing.assert_close(points, expected, rtol=0, atol=1e-6)
    assert torch.equal(digits_net()(points).argmax(dim=1) != labels, fooled)
    assert fooled.any()


@pytest.mark.parametrize(
    "name",
    ["LinfProjectedGradientDescentAttack", "L2ClippingAwareAdditiveGaussianNoiseAttack", "LinfRepeatedAdditiveUniformNoiseAttack"],
)
def test_what_foolbox_draws_it_draws_as_after_a_seed_from_our_generator(name):
    seed = int(torch.randint(2**62, (), generator=generator(3)))
    digits_net()  # it seeds the same generator where it is trained
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        expected, _ = theirs(name, epsilon=_EPSILON["linf" if name.startswith("Linf") else "l2"], settings=own(name))
    torch.testing.assert_close(points_of(name, seed=3), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in scheme.names() if name not in (*_HUNDREDS_OF_QUERIES_A_PIXEL, _DIVIDES_BY_ZERO)])
def test_every_attack_stays_in_the_ball_and_draws_from_our_generator_alone(name):
    inputs, labels = digits(4)
    before, torch_state, numpy_state = inputs.clone(), torch.get_rng_state(), np.random.get_state()[1].copy()
    for norm in ATTACKS[f"foolbox:{name}"].facts.norms:
        watched, chosen = Watched.all_of(digits_net(), labels), asked(name, norm=norm)
        one = run_attack(watched, inputs, labels, settings=chosen, generator=generator())
        check_examples(one, inputs, epsilon=chosen.epsilon, norm=norm)
        assert torch.equal(points_of(name, norm=norm, count=4), one)
        if not chosen.facts.random_start:
            assert torch.equal(points_of(name, norm=norm, count=4, seed=1), one)
        assert (watched.passes.backward > 0) == chosen.facts.takes_gradients
        assert bool(watched.sizes.isfinite().any()) <= chosen.facts.minimises
    assert torch.equal(inputs, before)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


@pytest.mark.slow
def test_pointwise_draws_from_numpys_generator_which_is_seeded_and_restored():
    state = np.random.get_state()[1].copy()
    one, other, third = (points_of("PointwiseAttack", norm="l2", count=1, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one, other)
    assert not torch.equal(one, third)
    assert np.array_equal(np.random.get_state()[1], state)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in scheme.names() if not ATTACKS[f"foolbox:{name}"].facts.untargeted])
def test_attacks_that_take_targets_run_with_one(name):
    inputs, _ = digits(2)
    points = points_of(name, count=2, target="next")
    check_examples(points, inputs, epsilon=asked(name).epsilon, norm=asked(name).norm)


def test_a_targeted_attack_makes_its_target():
    _, labels = digits(8)
    points = points_of("LinfBasicIterativeAttack", target="next", epsilon=0.4, settings={"steps": 20})
    assert float((digits_net()(points).argmax(dim=1) == (labels + 1) % 10).double().mean()) > 0.5


def test_a_minimum_norm_attack_notes_how_far_it_had_to_go():
    inputs, labels = digits(8)
    watched, chosen = Watched.all_of(digits_net(), labels), asked("L2DeepFoolAttack", epsilon=0.1, settings={"steps": 50})
    points = run_attack(watched, inputs, labels, settings=chosen, generator=generator())
    assert watched.sizes.isfinite().all()
    assert float(watched.sizes.max()) > 0.1
    check_examples(points, inputs, epsilon=0.1, norm="l2")


def test_examples_for_which_no_start_is_found_stay_as_they_are():
    inputs, labels = digits(6)

    def one_class(points):  # only what is darker than any digit here is of another class
        return torch.where(points.mean(dim=(1, 2, 3), keepdim=False)[:, None] < 0, torch.eye(10)[[1]], torch.eye(10)[[0]])

    net = lambda points: one_class(points) + 0 * points.sum()  # noqa: E731
    chosen = asked("BoundaryAttack")
    points = run_attack(net, inputs, torch.zeros_like(labels), settings=chosen, generator=generator())
    assert torch.equal(points, inputs)


def test_a_setting_says_if_it_starts_at_random():
    assert not asked("LinfBasicIterativeAttack").randomised
    assert asked("LinfBasicIterativeAttack", settings={"random_start": True}).randomised
    assert asked("LinfProjectedGradientDescentAttack").randomised
    assert not asked("LinfProjectedGradientDescentAttack", settings={"random_start": False}).randomised


def test_a_setting_called_loss_that_is_none_of_ours_is_not_how_points_are_compared():
    assert asked("L2DeepFoolAttack", settings={"loss": "crossentropy"}).loss == "margin"
    assert points_of("L2DeepFoolAttack", count=2, restarts=1).shape == (2, 1, 8, 8)


@pytest.mark.parametrize("name", ["LinfDeepFoolAttack", "LinfRepeatedAdditiveUniformNoiseAttack", "HopSkipJumpAttack"])
def test_what_compares_single_evaluations_is_refused_on_a_randomised_net(name):
    inputs, labels = digits(2)
    chosen = asked(name, selection_draws=4)
    with pytest.raises(UserError, match=f"^attack foolbox:{name}: compares points by single evaluations, .* omniscient or transfer$"):
        run_attack(Noisy(net=digits_net()), inputs, labels, settings=chosen, generator=generator(), randomness="batch")


def test_gradient_steps_meet_fresh_draws_of_a_randomised_net():
    class Float(Noisy):
        def __call__(self, points):
            self.asked.append(points.detach().clone())
            return self.net(points + 0.1 * torch.randn(points.shape, generator=self.random))

    inputs, labels = digits(2)
    net = Float(net=digits_net())
    run_attack(net, inputs, labels, settings=asked("LinfBasicIterativeAttack"), generator=generator(), randomness="example")
    assert len(net.asked) == 4


def test_points_that_are_not_finite_are_found_out():
    inputs, labels = digits(20)
    perturb = attacker(OfDigits(), asked(_DIVIDES_BY_ZERO), generator=generator())
    with pytest.raises(NonFiniteError, match=r"^attack foolbox:NewtonFoolAttack: an adversarial example lies nan|cannot be attacked"):
        perturb(slice(0, 20), inputs, labels)


def test_an_attack_that_foolbox_refuses_fails_with_its_reason():
    inputs, labels = digits(2)
    with pytest.raises(JobError, match=r"^attack foolbox:HopSkipJumpAttack: clips its points to \[0, 1\], and inputs are in \[-1, 1\]$"):
        run_attack(digits_net(), inputs, labels, settings=asked("HopSkipJumpAttack"), generator=generator(), bounds=(-1, 1))
    waves = inputs.flatten(2)
    with pytest.raises(JobError, match=r"^attack foolbox:GaussianBlurAttack: (NotImplemented|Value)Error: "):
        run_attack(lambda x: digits_net()(x.view(-1, 1, 8, 8)), waves, labels, settings=asked("GaussianBlurAttack"), generator=generator())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("DatasetAttack", "not here: it takes its points from other examples"),
        ("BinarizationRefinementAttack", "not here: it refines the points of another attack"),
        ("GenAttack", "not here: it only makes for a given class"),
        ("SpatialAttack", "not here: it turns and shifts images"),
        ("L2BrendelBethgeAttack", "not here: its solver needs numba"),
        ("EADAttack", "not here: its distance is the L1 distance, and the norms are l2, linf"),
        ("L0FMNAttack", "not here: its distance is the L0 distance"),
        ("PGD", "Foolbox's other name of foolbox:LinfProjectedGradientDescentAttack; write that"),
        ("DeepFool", r"Foolbox has no such attack \(did you mean foolbox:L2DeepFoolAttack\?\)"),
    ],
)
def test_an_attack_that_cannot_be_had_says_why(name, reason):
    with pytest.raises(ValueError, match=f"^attack 'foolbox:{name}': {reason}"):
        ATTACKS[f"foolbox:{name}"]


def test_every_class_of_foolboxs_is_had_or_refused_for_a_reason():
    unknown = [name for name in scheme._classes() if "nothing is known" in (scheme._refusal(name) or "")]
    assert unknown == []
    assert len(scheme.names()) == 40


def test_an_attack_by_hand_has_the_norm_of_its_class():
    inputs, labels = digits(4)
    points = attacked_by_hand(digits_net(), inputs, labels, "foolbox:L2DeepFoolAttack", epsilon=1.0, settings={"steps": 5})
    assert float((points - inputs).flatten(1).norm(dim=1).max()) <= 1.0 + 1e-5
    with pytest.raises(UserError, match="norm=linf: foolbox:L2DeepFoolAttack has l2"):
        attacked_by_hand(digits_net(), inputs, labels, "foolbox:L2DeepFoolAttack", epsilon=1.0, norm="linf")


def test_a_library_is_averaged_over_no_draws():
    facts = ATTACKS["foolbox:LinfBasicIterativeAttack"].facts
    assert not facts.averages
    assert replace(facts, library=False).averages
