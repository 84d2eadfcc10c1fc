"""What `make gpu` is made of, on the CPU: the record, the parts' times, and candidates that compute the same as the plain way."""

import json
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.gpu.__main__ import _each
from tests.gpu.candidates import ascent, graphed_gradient, on_streams_step, one_by_one_step, plain_gradient, side_by_side_step
from tests.gpu.checks import precision_choice, sketches
from tests.gpu.machine import Machine, Report
from tests.gpu.ratios import _plain_nets

CPU = Machine(torch.device("cpu"), None)
INPUTS, LABELS = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 10


def test_every_finding_is_on_disk_at_once(tmp_path: Path) -> None:
    report = Report(tmp_path / "build" / "gpu.json")
    part = report.part("ratios")
    part.note("one", 0.123456)
    assert json.loads(report.path.read_text())["parts"]["ratios"]["findings"] == {"one": 0.1235}


def test_what_fails_is_counted_and_what_has_no_time_left_is_said(tmp_path: Path) -> None:
    part = Report(tmp_path / "gpu.json").part("checks")

    def fails() -> None:
        raise ValueError("broken")

    works = {"fails": fails, "slow": lambda: time.sleep(0.05), "late": lambda: pytest.fail("there was no time for it")}
    assert _each(works, part, seconds=0.04) == 1
    findings = part.content["findings"]
    assert "ValueError: broken" in findings["fails"]
    assert "left out" in findings["late"]


def test_the_gradient_from_still_buffers_makes_the_same_attack() -> None:
    net = _plain_nets(CPU, 1)[0].requires_grad_(False)
    plain, still = plain_gradient(net), graphed_gradient(net, INPUTS, LABELS)
    found = [ascent(gradient, INPUTS, LABELS, steps=3, epsilon=0.1) for gradient in (plain, still)]
    assert torch.equal(*found)
    assert not torch.equal(found[0], INPUTS)


def test_nets_that_train_side_by_side_get_the_weights_of_nets_that_train_one_by_one() -> None:
    alone, streamed, together = (_plain_nets(CPU, 3) for _ in range(3))
    steps = [one_by_one_step(alone, rate=0.1), on_streams_step(streamed, rate=0.1), side_by_side_step(together, rate=0.1)]
    for _ in range(2):
        for step in steps:
            step(INPUTS, LABELS)
    for name, stacked in steps[2].weights.items():  # type: ignore[attr-defined]
        for number, (one, other) in enumerate(zip(alone, streamed, strict=True)):
            assert torch.equal(_weight(one, name), _weight(other, name))
            torch.testing.assert_close(stacked[number], _weight(one, name), rtol=1e-4, atol=1e-6)


def _weight(net: nn.Module, name: str) -> torch.Tensor:
    return dict(net.named_parameters())[name]


@pytest.mark.parametrize("check", [sketches, precision_choice])
def test_a_check_passes_on_the_cpu(check) -> None:  # type: ignore[no-untyped-def]
    check(CPU)
