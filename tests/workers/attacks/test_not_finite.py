"""Attacks on nets with gradients or logits that are not finite, or hardly there: no example is left as it was without a word."""

from contextlib import contextmanager

import pytest
import torch

from tests.workers.attacks.attacked import INPUTS, LABELS, NAMES, NET, NORMS, Noisy, attacked, settings
from tests.workers.small import generator, network, split
from workers.attacks.engine import Problem, Watched
from workers.attacks.engine.losses import Goal
from workers.attacks.engine.norms import L2Ball, largest
from workers.attacks.engine.queries import chosen_per_example, compared
from workers.errors import NonFiniteError
from workers.measure.evaluate import correct_flags
from workers.registry import ATTACKS, DEFENCES
from workers.spec.component import DefenceSpec
from workers.spec.training import TrainingSpec
from workers.train.adversary import Adversary

ASKING = [name for name in NAMES if name != "noise"]
CLIMBING = [name for name in ASKING if name != "square"]
MARK = 1.0


def marked(*places):
    """The inputs, some of them with a mark by which a net knows them wherever they are in a call."""
    inputs = INPUTS.clone().clamp_(0.1, 0.8)
    inputs[list(places), 0, 0, 0] = MARK
    return inputs


class Spoilt:
    """A net with a gradient (or logits) of `value` at marked examples, from call number `since` on."""

    def __init__(self, value, *, logits=False, since=0):
        self.value, self.logits, self.since, self.calls = value, logits, since, 0

    def __call__(self, points):
        self.calls += 1
        is_marked = (points[:, 0, 0, 0] > 0.9).view(-1, 1) & (self.calls > self.since)
        if points.requires_grad and not self.logits:
            shown = points.clone()
            shown.register_hook(lambda slopes: torch.where(is_marked.view(-1, 1, 1, 1), self.value, slopes))
            points = shown
        found = NET(points)
        return torch.where(is_marked, self.value, found) if self.logits else found


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ASKING)
def test_an_attack_says_how_many_examples_it_could_not_attack(name, norm, value):
    kinds = [True, False] if name in CLIMBING else [True]
    for logits in kinds:
        inputs = marked(3, 7)
        labels = NET(inputs).argmax(dim=1)  # who is misclassified as it is needs no gradient
        with pytest.raises(NonFiniteError, match=r"^2 of 12 examples cannot be attacked: the gradient or the logits are not finite$"):
            attacked(name, net=Spoilt(value, logits=logits), inputs=inputs, labels=labels, norm=norm, steps=3, epsilon=0.05, sigma=0.01)
        attacked(name, net=Spoilt(value, logits=logits), inputs=marked(), norm=norm, steps=3, epsilon=0.05, sigma=0.01)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "pgd", "restarts": 2, "early_stop": True},
        {"name": "apgd_ce", "early_stop": True},
        {"name": "mi_fgsm", "target": "next"},
        {"name": "bim", "target": "least_likely"},
        {"name": "fgsm", "backend": "foolbox"},
        {"name": "pgd", "backend": "foolbox"},
        {"name": "pgd", "eot_samples": 5, "randomness": "example"},
        {"name": "pgd", "eot_samples": 3, "randomness": "batch"},
        {"name": "smoothed_pgd", "early_stop": True, "sigma": 0.01},
        {"name": "apgd_dlr", "selection_draws": 2, "randomness": "example"},
    ],
)
@pytest.mark.filterwarnings("ignore")  # Foolbox imports a name that SciPy will drop
def test_whatever_the_settings_a_late_nan_is_counted_for_its_example(fields):
    name, once = fields["name"], fields["name"] == "fgsm"
    with pytest.raises(NonFiniteError, match=r"^1 of 12 examples"):
        attacked(net=Spoilt(float("nan"), since=0 if once else 1), inputs=marked(9), steps=4, epsilon=0.05, **{**fields, "name": name})


def test_a_net_that_is_watched_already_is_asked_by_who_watches_it():
    watched = Watched.all_of(Spoilt(float("nan")), LABELS)
    attacked("pgd", net=watched, inputs=marked(1), steps=2, epsilon=0.05)
    assert watched.flags.nonzero().squeeze(1).tolist() == [1]


@pytest.mark.parametrize("kind", ["pgd", "r_fgsm"])
def test_adversarial_training_counts_over_the_epoch(kind):
    module = torch.nn.Identity()
    chosen = TrainingSpec(epochs=1, adversarial_training=kind)
    adversary = Adversary(module, Spoilt(float("nan")), (0, 1), chosen, generator())
    for perturb in adversary.one_a_batch(2):
        perturb(marked(2, 5).float().double(), LABELS)
    with pytest.raises(NonFiniteError, match=r"^4 of 24 examples could not be attacked"):
        adversary.require_all_attacked()
    adversary.require_all_attacked()


def test_an_example_whose_logits_are_not_finite_is_never_counted_as_right():
    net = network(width=2)
    data = split(10)
    net.body.register_forward_hook(lambda *_: torch.full((10, 10), float("nan")))
    assert not correct_flags(net, data, batch_size=10).any()


@pytest.mark.parametrize("name", [name for name in CLIMBING if not ATTACKS[name].facts.minimises])  # those weigh it against the logits
@pytest.mark.parametrize("size", [1e-15, 1e-25, 1e-37, 1e-42, 1e25])
def test_steps_under_l2_are_as_long_whatever_the_gradients_size(name, size):
    points = attacked(name, net=lambda x: NET(x.double()).float(), inputs=INPUTS.float(), norm="l2", steps=1, epsilon=0.1)
    scaled = attacked(
        name, net=lambda x: Scaled.apply(NET(x.double()).float(), size), inputs=INPUTS.float(), norm="l2", steps=1, epsilon=0.1
    )
    torch.testing.assert_close(scaled, points, rtol=0, atol=1e-6 if size > 1e-38 else 1e-3)


class Scaled(torch.autograd.Function):
    """The identity, with another size of its gradient."""

    @staticmethod
    def forward(ctx, values, size):
        ctx.size = size
        return values.clone()

    @staticmethod
    def backward(ctx, slopes):
        return slopes * ctx.size, None


def test_the_direction_of_usual_gradients_keeps_its_bits():
    slopes = torch.randn(64, 3, 8, 8, generator=generator())
    lengths = torch.linalg.vector_norm(slopes.flatten(1), dim=1).view(-1, 1, 1, 1)
    assert torch.equal(L2Ball.direction(slopes), slopes / lengths)
    assert torch.equal(L2Ball.direction(torch.zeros(2, 3)), torch.zeros(2, 3))


RANDOMISED = [found.name for found in DEFENCES if found.facts.randomised]


@pytest.mark.parametrize("at_once", [None, 5])
@pytest.mark.parametrize("defence", [None, *RANDOMISED])
def test_candidates_of_an_example_share_its_draw(defence, at_once):
    given = {"theta": 0.7, "draws": "example"} if defence is None else {"defence": DefenceSpec(name=defence)}
    net, (inputs, labels) = network(width=2, **given), split(8).batch(slice(8))
    net.examples_at_once = at_once
    chosen = settings("square", selection_draws=3)
    problem = Problem(net, inputs, Goal(labels), chosen, generator(), randomness="example")
    first, second = compared(problem, inputs, inputs.clone())
    torch.testing.assert_close(first.losses, second.losses, rtol=1e-5, atol=1e-5)
    (later,) = compared(problem, inputs)
    assert not torch.allclose(first.losses, later.losses, rtol=1e-3)
    assert net(inputs.repeat(2, 1, 1, 1)).chunk(2)[0].ne(net(inputs)).any()


def test_square_gets_further_on_a_net_that_gives_candidates_the_same_draw():
    """Noise of each example's own, larger than what one window gains, hides which of two candidates is the better one."""

    class Sharing(Noisy):
        copies = 1

        @contextmanager
        def draws_shared(self, copies):
            self.copies = copies
            yield
            self.copies = 1

        def __call__(self, points):
            shape = (len(points) // self.copies, *points.shape[1:])
            noise = torch.randn(shape, generator=self.random, dtype=points.dtype).repeat(self.copies, 1, 1, 1)
            return self.net(points + self.size * noise)

    def expected_loss(points):
        net = Noisy(size=1.0, seed=77)
        return sum(float(torch.nn.functional.cross_entropy(net(points), LABELS)) for _ in range(200)) / 200

    with_own, shared = (
        attacked("square", net=net(draws="example", size=1.0), randomness="example", selection_draws=2, steps=100)
        for net in (Noisy, Sharing)
    )
    assert expected_loss(shared) > expected_loss(with_own) + 0.02


def test_the_largest_magnitude_is_not_finite_where_a_value_is_not():
    values = torch.tensor([[1.0, -3.0], [torch.nan, 9.0], [-torch.inf, 9.0], [0.0, 0.0]])
    torch.testing.assert_close(largest(values)[:, 0], torch.tensor([3.0, torch.nan, torch.inf, 0.0]), equal_nan=True)


def test_finite_values_whose_sum_is_not_are_no_error():
    watched = Watched.all_of(lambda points: points, torch.zeros(2, dtype=torch.long))
    watched(torch.full((2, 4), torch.finfo(torch.float32).max))
    watched.require_finite()


def test_points_are_chosen_to_the_last_bit():
    points, others = torch.randn(2, 6, 3, 8, generator=generator(0)) * torch.tensor(10.0).pow(torch.arange(-4, 4))
    flags = torch.tensor([True, False] * 3)
    chosen = chosen_per_example(flags, points, others)
    assert torch.equal(chosen, torch.where(flags.view(-1, 1, 1), points, others))
