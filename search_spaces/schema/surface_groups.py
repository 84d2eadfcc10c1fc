"""Groups of loss surfaces of a space."""

from collections.abc import Iterator

from search_spaces.schema.axes import Axis, AxisSection
from workers.spec.fields import Count, Index, NormName, Positive, SurfaceDirection
from workers.spec.surface import Resolution, SurfaceSettings


class SurfaceGroup(AxisSection):
    """The axes of `SurfaceSettings`; every combination is one surface of every model.

    A setting without effect on a model makes no jobs: `draws` where it is not randomised, `own` where the model is itself the net
    that `theta_one` means.
    """

    example: Axis[Index] = ()
    direction: Axis[SurfaceDirection] = ()
    extent: Axis[Positive] = ()
    resolution: Axis[Resolution] = ()
    draws: Axis[Count] = ()
    norm: Axis[NormName] = ()
    clip: Axis[bool] = ()

    def resolved(self) -> Iterator[SurfaceSettings]:
        """Every surface of the group, for a randomised model."""
        for point in self.points():
            yield SurfaceSettings(**point)
