"""One network by hand: its tensorized copy, and attacks on it."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import robustsweep as rs
from workers.errors import UserError


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 12, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 5)
    ).eval()


@pytest.fixture
def inputs() -> Tensor:
    return torch.rand((6, 1, 8, 8), generator=torch.Generator().manual_seed(4))


def test_full_rank_without_sketch_is_the_network_itself(net: nn.Module, inputs: Tensor) -> None:
    made = rs.tensorize(net, first=True, linear=True)
    assert set(made.ranks()) == {"0", "2", "6"}
    torch.testing.assert_close(made(inputs), net(inputs))
    assert isinstance(net[2], nn.Conv2d)


def test_a_sketch_draws_from_its_seed(net: nn.Module, inputs: Tensor) -> None:
    made, same = (rs.tensorize(net, theta=0.5, rank=0.5, seed=7) for _ in range(2))
    first = made(inputs)
    assert torch.equal(first, same(inputs))
    assert not torch.equal(first, made(inputs))
    made.seed(7)
    assert torch.equal(first, made(inputs))
    with made.full_weights():
        assert torch.equal(made(inputs), made(inputs))


@pytest.mark.parametrize(("attack", "settings"), [("fgsm", {}), ("pgd", {"steps": 4, "restarts": 2}), ("apgd_ce", {"steps": 4})])
@pytest.mark.parametrize("theta", [1.0, 0.8])
def test_attacks_find_worse_points_in_the_ball(net: nn.Module, inputs: Tensor, attack: str, settings: dict[str, Any], theta: float) -> None:
    attacked_net = rs.tensorize(net, theta=theta)
    labels = net(inputs).argmax(1)
    points = rs.attacked(attacked_net, inputs, labels, attack, epsilon="8/255", batch_size=4, **settings)
    assert float((points - inputs).abs().max()) <= 8 / 255 + 1e-6
    assert 0 <= float(points.min()) <= float(points.max()) <= 1
    with attacked_net.full_weights():
        assert _loss(attacked_net, points, labels) > _loss(attacked_net, inputs, labels)
    assert torch.equal(points, rs.attacked(attacked_net, inputs, labels, attack, epsilon=8 / 255, batch_size=4, **settings))


def test_attack_runs_one_on_a_network_and_registers_a_function(net: nn.Module, inputs: Tensor, forgotten: None) -> None:
    @rs.attack
    def still(logits, inputs, labels):  # type: ignore[no-untyped-def]
        return inputs

    @rs.attack(random_start=True, name="jump")
    def jumping(logits, inputs, labels, *, epsilon, bounds, generator, share: float = 1.0):  # type: ignore[no-untyped-def]
        noise = torch.rand(inputs.shape, generator=generator)
        return (inputs + share * epsilon * (2 * noise - 1)).clamp(*bounds)

    labels = net(inputs).argmax(1)
    asked: dict[str, Any] = {"epsilon": "8/255", "seed": 2}
    assert torch.equal(rs.attack(net, inputs, labels, "still", **asked), inputs)
    assert 0 < float((rs.attack(net, inputs, labels, "jump", share=0.5, **asked) - inputs).abs().max()) <= 4 / 255 + 1e-6
    points = rs.attack(net, inputs, labels=labels, attack="pgd", steps=4, **asked)
    assert torch.equal(points, rs.attacked(net, inputs, labels, "pgd", steps=4, **asked))
    with pytest.raises(TypeError, match="missing 3 required positional arguments"):
        rs.attack(net, **asked)  # type: ignore[call-overload]


def _loss(net: nn.Module, points: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return float(nn.functional.cross_entropy(net(points), labels))


def test_the_network_is_afterwards_as_before(net: nn.Module, inputs: Tensor) -> None:
    net.train()
    net[2].weight.requires_grad_(False)
    rs.attacked(net, inputs, torch.zeros(6, dtype=torch.long), "fgsm", epsilon=0.1)
    assert net.training
    assert [parameter.requires_grad for parameter in net.parameters()] == [True, True, False, True, True, True]
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"attack": "pgdd"}, r"^attack 'pgdd': one of .*did you mean pgd\?"),
        ({"epsilon": "-1/255"}, "^epsilon=-1/255: must be > 0$"),
        ({"stepss": 3}, "^attack pgd: no setting 'stepss'; one of steps, "),
        ({"steps": 0}, "^attack pgd: steps=0: must be a whole number >= 1"),
        ({"bounds": (0.0, 0.5)}, r"^inputs: from .*; must be within bounds=\(0.0, 0.5\)$"),
        ({"labels": torch.zeros(2, dtype=torch.long)}, "^labels: 2 for 6 inputs$"),
    ],
)
def test_wrong_arguments_name_the_legal_ones(net: nn.Module, inputs: Tensor, given: dict[str, Any], message: str) -> None:
    call = {"labels": torch.zeros(6, dtype=torch.long), "attack": "pgd", "epsilon": "8/255", **given}
    with pytest.raises(UserError, match=message):
        rs.attacked(net, inputs, **call)


@pytest.mark.parametrize(("given", "message"), [({"theta": 1.3}, "theta=1.3"), ({"rank": 0.0}, "rank=0.0"), ({}, "has no layer")])
def test_wrong_tensorizations_say_so(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        rs.tensorize(nn.Sequential(nn.Conv2d(1, 8, 3)), **given)


def test_a_tensorized_network_is_not_tensorized_again(net: nn.Module) -> None:
    with pytest.raises(UserError, match=r"^Sequential: is tensorized already; take the dense network$"):
        rs.tensorize(rs.tensorize(net).body)
