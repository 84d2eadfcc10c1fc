"""TRADES, MART and logit pairing against their papers' formulas, and the attacks and perturbations that go with them."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from tests.workers.small import DIGITS, generator, network, split
from workers.attacks.engine import check_examples
from workers.losses.logit_pairing import logit_pairing
from workers.losses.mart import mart
from workers.losses.trades import trades
from workers.models.network import build
from workers.spec.model import ModelSpec
from workers.spec.training import TrainingSpec
from workers.train.adversary import Adversary, DrawnAttack, remembered
from workers.train.regularisers import perturbed_weights
from workers.train.safe_convolutions import safe_convolutions

CLEAN, ATTACKED = torch.randn(6, 4, generator=generator(1)), torch.randn(6, 4, generator=generator(2))
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])
INPUTS, EXAMPLES = torch.zeros(6, 1), torch.ones(6, 1)
DATA = split(8)


def logits(points):
    return ATTACKED if points is EXAMPLES else CLEAN


def attacked(inputs, labels):
    return EXAMPLES


def test_trades_is_the_authors():
    found = trades(logits, INPUTS, LABELS, attacked, beta=6.0)
    robust = torch.nn.KLDivLoss(reduction="sum")(F.log_softmax(ATTACKED, dim=1), F.softmax(CLEAN, dim=1)) / len(CLEAN)
    assert torch.allclose(found, F.cross_entropy(CLEAN, LABELS) + 6.0 * robust)


def test_mart_is_the_authors():
    found = mart(logits, INPUTS, LABELS, attacked, beta=5.0)
    probabilities = F.softmax(ATTACKED, dim=1)
    top = torch.argsort(probabilities, dim=1)[:, -2:]
    other = torch.where(top[:, -1] == LABELS, top[:, -2], top[:, -1])
    boosted = F.cross_entropy(ATTACKED, LABELS) + F.nll_loss(torch.log(1.0001 - probabilities + 1e-12), other)
    clean = F.softmax(CLEAN, dim=1)
    true = clean.gather(1, LABELS[:, None]).squeeze()
    divergence = torch.nn.KLDivLoss(reduction="none")(torch.log(probabilities + 1e-12), clean).sum(dim=1)
    assert torch.allclose(found, boosted + 5.0 * (divergence * (1.0000001 - true)).mean(), atol=1e-3)


def test_logit_pairing_mixes_both_and_adds_the_squared_difference():
    found = logit_pairing(logits, INPUTS, LABELS, attacked, pairing=0.5)
    mixed = (F.cross_entropy(CLEAN, LABELS) + F.cross_entropy(ATTACKED, LABELS)) / 2
    assert torch.allclose(found, mixed + 0.5 * (CLEAN - ATTACKED).square().mean())


@pytest.mark.parametrize("loss", [trades, mart, logit_pairing])
def test_without_an_attack_nothing_is_added_for_it(loss):
    plain = loss(lambda _: CLEAN, INPUTS, LABELS, lambda inputs, _: inputs)
    changed = loss(lambda _: CLEAN, INPUTS, LABELS, lambda inputs, _: inputs, **{"pairing" if loss is logit_pairing else "beta": 0.0})
    assert torch.allclose(plain, changed, atol=1e-6)


def adversary(kind, **more):
    net = network()
    settings = TrainingSpec(epochs=1, adversarial_training=kind, **more)
    return net, Adversary(net, net, (0, 1), settings, generator())


def made(kind, epsilon=8 / 255, **more):
    _, attacker = adversary(kind, **more)
    return attacker.perturb(DATA.inputs, DATA.labels, drawn=DrawnAttack(epsilon, 3))


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("loss", ["ce", "kl"])
def test_pgd_in_training_stays_in_its_ball_whatever_its_norm_and_loss(norm, loss):
    examples = made("pgd", epsilon=0.1, adversarial_norm=norm, adversarial_loss=loss)
    assert 0.05 < check_examples(examples, DATA.inputs, epsilon=0.1, norm=norm) <= 0.1 + 1e-5


def test_a_divergence_is_followed_uphill():
    net, attacker = adversary("pgd", adversarial_loss="kl")
    examples = attacker.perturb(DATA.inputs, DATA.labels, drawn=DrawnAttack(16 / 255, 5))
    clean = F.log_softmax(net(DATA.inputs), dim=1)
    noisy = (DATA.inputs + 0.03 * torch.randn(DATA.inputs.shape, generator=generator(3)).sign()).clamp(0, 1)
    moved, random = (F.kl_div(F.log_softmax(net(points), dim=1), clean, reduction="sum", log_target=True) for points in (examples, noisy))
    assert moved > random


def test_rs_fgsm_is_projected_to_the_ball_and_n_fgsm_is_not():
    check_examples(made("rs_fgsm", adversarial_stepsize=1.25), DATA.inputs, epsilon=8 / 255)
    free = made("n_fgsm", adversarial_stepsize=1.0)
    assert check_examples(free, DATA.inputs, epsilon=3 * 8 / 255) > 8 / 255


def test_weights_are_moved_by_their_share_uphill_and_come_back_bit_for_bit():
    net = build(ModelSpec(width=2), DIGITS.info, seed=1).train()
    net.seed(0)
    before = {name: value.clone() for name, value in net.state_dict().items()}

    def loss():
        return F.cross_entropy(net(DATA.inputs), DATA.labels)

    at_rest = float(loss().detach())
    net.load_state_dict(before)
    with safe_convolutions(net, DATA.device), perturbed_weights(net, loss, size=0.01):
        moved = [(value.detach() - before[name]).norm() / before[name].norm() for name, value in net.named_parameters() if value.ndim > 1]
        assert max(float(share) for share in moved) == pytest.approx(0.01, rel=1e-3)
        assert float(loss().detach()) > at_rest
        net.load_state_dict({name: value for name, value in before.items() if "running" in name or "tracked" in name}, strict=False)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_remembered_examples_are_made_once_a_batch():
    calls = []
    again = remembered(lambda inputs, _: calls.append(1) or inputs + 1)
    first = again(INPUTS, LABELS)
    assert again(INPUTS, LABELS) is first
    assert len(calls) == 1
    assert again(INPUTS.clone(), LABELS) is not first
