"""Two processes that share each pass through a network compute what one does: in double precision, where rounding is not in the way."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch import distributed as dist

from tests.commands import FORKS
from tests.workers.small import DIGITS, split
from workers.attacks.engine import attack_of
from workers.models.network import Network, build
from workers.registry import ATTACKS, LOSSES
from workers.spec.attack import AttackSettings
from workers.spec.component import UNDEFENDED, DefenceSpec
from workers.spec.model import ModelSpec
from workers.train.group import ALONE, TrainingProcess
from workers.train.regularisers import perturbed_weights

BATCH, EPSILON = 9, 8 / 255
PGD = AttackSettings(
    name="pgd",
    epsilon=EPSILON,
    epsilon_literal="8/255",
    settings=ATTACKS["pgd"].settings.model_validate({"steps": 2, "abs_stepsize": EPSILON / 2}),
)
RESIZED = DefenceSpec.model_validate({"name": "random_resize_pad"})
QUANTIZED = DefenceSpec.model_validate({"name": "defensive_quantization"})
CASES = {
    "plain": ({}, UNDEFENDED, "cross_entropy", 0.0),
    "sketched": ({"theta": 0.8}, UNDEFENDED, "cross_entropy", 0.0),
    "sketched per example": ({"theta": 0.8, "draws": "example"}, UNDEFENDED, "trades", 0.0),
    "defended": ({}, RESIZED, "cross_entropy", 0.0),
    "penalised": ({}, QUANTIZED, "cross_entropy", 0.0),
    "perturbed weights": ({"theta": 0.8}, UNDEFENDED, "mart", 0.01),
}


def stepped(group: TrainingProcess, case: str) -> dict[str, Tensor]:
    """The loss, gradients and statistics after one adversarial step."""
    model, defence, loss, size = CASES[case]
    net = build(ModelSpec(width=2, **model), DIGITS.info, seed=1, defence=defence).double()
    net.seed(2)
    inputs, labels = split(BATCH, part="train").batch(slice(None))
    inputs, logits, draws = inputs.double(), group.divided(net), torch.Generator().manual_seed(3)
    points = _attacked(net, logits, inputs, labels, draws)

    def lost() -> Tensor:
        found = LOSSES[loss].create(logits, inputs, labels, lambda *_: points)
        return found if (penalty := net.penalty()) is None else found + group.once(penalty)

    with group.summed(net):
        if size:
            with perturbed_weights(net, lost, size=size):
                (value := lost()).backward()
        else:
            (value := lost()).backward()
    grads = {name: one.grad for name, one in net.named_parameters() if one.grad is not None}
    assert not any("forward" in vars(module) for module in net.modules())
    return {"loss": value.detach(), "points": points, **grads, **dict(net.named_buffers())}


def _attacked(net: Network, logits: Callable[[Tensor], Tensor], inputs: Tensor, labels: Tensor, draws: torch.Generator) -> Tensor:
    net.eval()
    try:
        return attack_of(PGD)(logits, inputs, labels, settings=PGD, generator=draws, bounds=net.bounds)
    finally:
        net.train()


def _rank(rank: int, folder: Path) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    torch.save({case: stepped(TrainingProcess(rank, 2), case) for case in CASES}, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes has after a step of each case."""
    folder = tmp_path_factory.mktemp("group")
    processes = [FORKS.Process(target=_rank, args=(rank, folder)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0, 0]
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("case", CASES)
def test_two_processes_compute_what_one_does(case: str, of_two: list[dict[str, Any]]) -> None:
    alone, (first, second) = stepped(ALONE, case), (found[case] for found in of_two)
    assert alone.keys() == first.keys()
    for name, expected in alone.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], expected, rtol=1e-7, atol=1e-10, msg=name)
