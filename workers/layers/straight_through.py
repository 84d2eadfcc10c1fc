"""The straight-through estimator: one value forward, another one's gradient backward."""

from typing import Any

import torch
from torch import Tensor


class StraightThrough(torch.autograd.Function):
    """`apply(inputs, outputs)` gives `outputs`, of the shape of `inputs`; its gradient is passed to `inputs` unchanged.

    The straight-through estimator (Bengio, Leonard & Courville, 2013); for an attacker, backward-pass differentiable approximation
    by the identity (BPDA; Athalye, Carlini & Wagner, 2018, section 4.1).
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, outputs: Tensor) -> Tensor:  # noqa: ARG004
        return outputs.view_as(outputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ARG004
        return gradient, None


def straight_through(inputs: Tensor, outputs: Tensor) -> Tensor:
    """Return `outputs`, differentiated as if they were `inputs`; see `StraightThrough`."""
    passed: Tensor = StraightThrough.apply(inputs, outputs)  # type: ignore[no-untyped-call]
    return passed
