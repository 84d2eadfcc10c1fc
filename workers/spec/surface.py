"""Settings of one loss surface, all resolved. Imports neither torch nor Ray."""

from typing import Annotated

from pydantic import AfterValidator

from workers.components.settings import Frozen
from workers.spec.fields import Count, Index, NormName, Positive, SurfaceDirection

_SMALLEST = 3


def _odd(value: int) -> int:
    if value < _SMALLEST or value % 2 == 0:
        raise ValueError(f"must be an odd number >= {_SMALLEST}: the example is the point in the middle")
    return value


Resolution = Annotated[int, AfterValidator(_odd)]


class SurfaceSettings(Frozen):
    """The loss of a model over a square around one test example (the paper's figures 2 to 4).

    The square's x axis is the direction of the loss's gradient at the example, its y axis a random direction orthogonal to it; `extent`
    is half its side, in input units as `norm` measures the axes, `resolution` its points a side.

    `example` is an index in the fixed class-balanced order of the test split. `direction` selects the gradient: `theta_one`, that of the
    trained net without a sketch from which the model descends, so that every theta has the same square (figures 2 and 4), or `own`, the
    attacked model's (figure 3).

    `norm` is the one in which both directions have length 1. The paper only says "normalised"; but it calls the squares
    l-infinity neighbourhoods, and its epsilon is l-infinity throughout: with `linf`, the default, the number on an axis is the largest
    change of any input value, and on both axes the circle of radius epsilon meets the boundary of the points that attacks with that epsilon
    may reach.

    With `clip` points are clipped to the legal inputs before they are evaluated; the paper describes a plain mesh grid, and clipped
    points lie on no plane, so the default is not to clip. `draws` surfaces are made of a randomised model, each under one draw for all
    its points.
    """

    example: Index = 0
    direction: SurfaceDirection = "theta_one"
    extent: Positive = 0.5
    resolution: Resolution = 41
    draws: Count = 1
    norm: NormName = "linf"
    clip: bool = False
