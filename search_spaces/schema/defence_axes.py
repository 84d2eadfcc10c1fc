"""The axes of the defence."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator

from search_spaces.schema.axes import Axis
from search_spaces.schema.component_axes import ComponentAxes, known
from workers.registry import DEFENCES


class DefenceAxes(ComponentAxes):
    """The axes of `DefenceSpec`; a setting has an effect, and makes jobs, with its own defence only."""

    registry: ClassVar = DEFENCES
    default: ClassVar = "none"

    name: Axis[Annotated[str, AfterValidator(known(DEFENCES))]] = ()
