"""A network whose eval-mode outputs depend on more than its inputs and its weights is found out, and left as it was."""

import pytest
import torch
from torch import nn

from tests.workers.small import DIGITS, network, same_state
from workers.components.facts import ModelFacts
from workers.errors import JobError
from workers.layers import LatentSketch
from workers.models.network import Network
from workers.models.network.behaviour import require_sound

INFO = DIGITS.info


class Head(nn.Module):
    """Flattened inputs through one layer; what the others of this file do wrong is added to it."""

    def __init__(self, n_classes: int = 10) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * 32 * 32, n_classes)

    def forward(self, inputs):
        return self.linear(inputs.flatten(1))


class LiveDropout(Head):
    def forward(self, inputs):
        return super().forward(nn.functional.dropout(inputs))


class Counting(Head):
    calls = 0

    def forward(self, inputs):
        self.calls += 1
        return super().forward(inputs) + self.calls


class Averaging(Head):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, inputs):
        self.seen += 1
        return super().forward(inputs)


class OwnGenerator(Head):
    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator()

    def forward(self, inputs):
        return super().forward(inputs) + torch.rand(10, generator=self.generator)


class OfTheBatch(Head):
    def forward(self, inputs):
        return super().forward(inputs - inputs.mean(dim=0))


class Tuples(Head):
    def forward(self, inputs):
        return super().forward(inputs), None


class NotFinite(Head):
    def forward(self, inputs):
        return super().forward(inputs).log()


def wrapped(body: nn.Module, **more: ModelFacts) -> Network:
    return Network(body, sketch=LatentSketch(theta=1.0), info=INFO, **more)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (LiveDropout(), "draws from PyTorch's global generator in eval mode .*; state randomised=True where it is meant to"),
        (Counting(), r"two passes on the same inputs in eval mode differ \(by 1\)"),
        (Averaging(), r"changes its state in eval mode \(seen\)"),
        (OwnGenerator(), "two passes on the same inputs in eval mode differ"),
        (OfTheBatch(), "an example's logits depend on the others of its batch"),
        (Tuples(), "gives a tuple: must be logits"),
        (NotFinite(), "its logits are not finite"),
        (Head(11), r"logits of shape \(2, 11\): must be \(2, 10\)"),
        (nn.Linear(3, 10), "its forward pass fails on inputs of 3x32x32: RuntimeError: mat1 and mat2"),
    ],
)
def test_what_is_wrong_is_one_line(body: nn.Module, message: str) -> None:
    with pytest.raises(JobError, match=f"^model net: .*{message}") as raised:
        require_sound(wrapped(body), INFO, name="net")
    assert "\n" not in str(raised.value)


def test_one_that_is_declared_randomised_may_draw() -> None:
    require_sound(wrapped(OwnGenerator(), body_facts=ModelFacts("image", randomised=True)), INFO, name="net")


@pytest.mark.parametrize("theta", [1.0, 0.5])
def test_a_sound_net_is_left_as_it_was(theta: float) -> None:
    net, again = network(theta=theta).train(), network(theta=theta).train()
    state = torch.get_rng_state()
    require_sound(net, INFO, name="net")
    assert net.training
    assert same_state(net, again)
    assert torch.equal(torch.get_rng_state(), state)
    images = torch.rand(4, *INFO.shape)
    assert torch.equal(net.eval()(images), again.eval()(images))
