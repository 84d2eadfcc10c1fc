import pytest
import torch

from tests.workers.small import DIGITS, generator, split
from workers.artifacts.artifacts import Artifacts
from workers.attacks.engine import check_examples
from workers.data.loading.device_split import DeviceSplit
from workers.measure.evaluate import attacker, correct_flags
from workers.models.network import Network, build
from workers.spec.attack import AttackSettings
from workers.spec.model import ModelSpec
from workers.spec.training import TrainingSpec
from workers.train import Checkpoint, train
from workers.train.adversary import Adversary, DrawnAttack

LOW, HIGH = 4 / 255, 16 / 255
RANGES = {"adversarial_epsilon": ("4/255", "16/255"), "adversarial_steps": (2, 5)}
DATA = split(20)


def trainee(theta: float = 0.8) -> Network:
    net = build(ModelSpec(width=4, theta=theta), DIGITS.info, seed=1)
    net.seed(2)
    return net


def adversary(net=None, *, kind="pgd", seed=0, logits=None, **more):
    net = net or trainee()
    settings = TrainingSpec(epochs=1, adversarial_training=kind, **RANGES | more)
    return Adversary(net, logits or net, (0, 1), settings, generator(seed))


def test_epsilons_are_uniform_over_their_range_and_steps_over_theirs():
    drawn = adversary().draw(20_000)
    epsilons = torch.tensor([one.epsilon for one in drawn])
    assert LOW <= float(epsilons.min()) < float(epsilons.max()) <= HIGH
    quarters = torch.histc(epsilons, 4, LOW, HIGH) / len(drawn)
    counts = torch.bincount(torch.tensor([one.steps for one in drawn])) / len(drawn)
    assert torch.allclose(quarters, torch.full((4,), 0.25), atol=0.0125)  # four standard deviations
    assert torch.allclose(counts, torch.tensor([0, 0, 0.25, 0.25, 0.25, 0.25]), atol=0.0125)
    assert abs(float(torch.corrcoef(torch.stack([epsilons, torch.tensor([float(one.steps) for one in drawn])]))[0, 1])) < 0.03


def test_a_range_of_one_value_is_that_value():
    drawn = adversary(adversarial_epsilon=("8/255", "8/255"), adversarial_steps=(3, 3)).draw(50)
    assert set(drawn) == {DrawnAttack(8 / 255, 3)}


@pytest.mark.parametrize("kind", ["pgd", "r_fgsm"])
@pytest.mark.parametrize("epsilon", [1 / 255, 8 / 255, 64 / 255])
def test_examples_lie_in_the_drawn_ball_and_reach_its_border(kind, epsilon):
    examples = adversary(kind=kind).perturb(DATA.inputs, DATA.labels, drawn=DrawnAttack(epsilon, 3))
    assert check_examples(examples, DATA.inputs, epsilon=epsilon) == pytest.approx(epsilon, abs=1e-6)


@pytest.mark.parametrize("kind", ["pgd", "r_fgsm"])
def test_every_batch_of_training_is_replaced_within_its_own_epsilon(kind, tmp_path):
    net, seen = trainee(), []
    net.register_forward_pre_hook(lambda module, given: seen.append(given[0].clone()) if module.training else None)
    settings = TrainingSpec(epochs=1, batch_size=10, adversarial_training=kind, **RANGES)
    train(
        net,
        DATA,
        settings,
        order=generator(3),
        checkpoint=Checkpoint(Artifacts(tmp_path).folder("job")),
        report=[].append,
        attack=generator(4),
    )
    clean = DATA.inputs[torch.randperm(20, generator=generator(3))].split(10)
    drawn = adversary(seed=4).draw(2)
    assert [one.shape for one in seen] == [one.shape for one in clean]
    for batch, inputs, one in zip(seen, clean, drawn, strict=True):
        assert check_examples(batch, inputs, epsilon=one.epsilon) == pytest.approx(one.epsilon, abs=1e-6)


@pytest.mark.parametrize(("kind", "passes"), [("pgd", 3), ("r_fgsm", 1)])
def test_every_gradient_step_sees_a_fresh_sketch_in_eval_mode(kind, passes):
    net, draws = trainee(), []

    def logits(inputs):
        draws.append((net.sketch.generator.get_state(), net.training, net.sketch.live))
        return net(inputs)

    adversary(net, kind=kind, logits=logits).perturb(DATA.inputs, DATA.labels, drawn=DrawnAttack(0.1, 3))
    assert len(draws) == passes
    assert len({state.numpy().tobytes() for state, _, _ in draws}) == passes
    assert all((training, live) == (False, True) for _, training, live in draws)


def test_the_attacker_leaves_batch_statistics_gradients_mode_and_inputs_alone():
    net, inputs = trainee(), DATA.inputs.clone()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    adversary(net).perturb(inputs, DATA.labels, drawn=DrawnAttack(0.1, 2))
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    assert net.training
    assert torch.equal(inputs, DATA.inputs)


@pytest.mark.parametrize(("stepsize", "expected"), [(1.0, 0.02), (2.5, 0.05)])
def test_the_step_size_is_in_units_of_epsilon_over_steps(stepsize, expected):
    def upwards(inputs):
        return torch.cat([-inputs.sum(dim=(1, 2, 3))[:, None], torch.zeros(len(inputs), 1)], dim=1)

    middle, labels = torch.full((2, 1, 2, 2), 0.5), torch.zeros(2, dtype=torch.int64)
    one = adversary(logits=upwards, adversarial_stepsize=stepsize).perturb(middle, labels, drawn=DrawnAttack(0.1, 5))
    noise = torch.rand(middle.shape, generator=generator(0))
    start = middle + (2 * noise - 1) * 0.1
    assert torch.allclose(one, torch.clamp(start + 5 * expected, 0.4, 0.6), atol=1e-6)


def test_r_fgsm_is_a_random_step_of_alpha_and_a_gradient_step_of_the_rest():
    def upwards(inputs):
        return torch.cat([-inputs.sum(dim=(1, 2, 3))[:, None], torch.zeros(len(inputs), 1)], dim=1)

    middle, labels = torch.full((2, 1, 2, 2), 0.5), torch.zeros(2, dtype=torch.int64)
    found = adversary(kind="r_fgsm", logits=upwards, adversarial_alpha=0.25).perturb(middle, labels, drawn=DrawnAttack(0.1, 1))
    signs = torch.randn(middle.shape, generator=generator(0)).sign()
    assert torch.allclose(found, 0.5 + 0.025 * signs + 0.075)


def trained(folder, data: DeviceSplit, kind: str) -> Network:
    net = build(ModelSpec(width=8, rank_fraction=1.0), DIGITS.info, seed=1)
    more = {"adversarial_training": kind, "adversarial_epsilon": ("8/255", "32/255"), "adversarial_steps": (2, 4)}
    spec = TrainingSpec(epochs=6, batch_size=50, **more)
    attack = None if kind == "none" else generator(4)
    train(net, data, spec, order=generator(3), checkpoint=Checkpoint(Artifacts(folder).folder("job")), report=[].append, attack=attack)
    return net.eval().requires_grad_(False)


@pytest.mark.slow  # a minute; `test_an_adversarially_trained_net_is_sound` sees the same sooner
def test_adversarial_training_makes_a_net_more_robust(tmp_path):
    data, test = split(600, part="train"), split(200)
    settings = AttackSettings(name="pgd", epsilon=24 / 255, epsilon_literal="24/255", steps=10, abs_stepsize=6 / 255)
    robust = {}
    for kind in ("none", "pgd", "r_fgsm"):
        net = trained(tmp_path / kind, data, kind)
        perturb = attacker(net, settings, generator=generator(5))
        robust[kind] = correct_flags(net, test, batch_size=100, perturb=perturb).mean()
    assert robust["pgd"] > robust["none"] + 0.1
    assert robust["r_fgsm"] > robust["none"] + 0.1
