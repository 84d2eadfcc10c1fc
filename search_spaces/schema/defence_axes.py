"""The axes of the defence."""

from search_spaces.schema.axes import Axes, Axis
from workers.spec.fields import Bits, DefenceName, Enlargement, NonNegative, OpenShare, Positive, WindowSize


class DefenceAxes(Axes):
    """The axes of `DefenceSpec`; a setting has an effect, and makes jobs, with its own defence only."""

    name: Axis[DefenceName] = ()
    bit_depth: Axis[Bits] = ()
    median_size: Axis[WindowSize] = ()
    activation_bits: Axis[Bits] = ()
    lipschitz_beta: Axis[NonNegative] = ()
    pruning_samples: Axis[Positive] = ()
    dropout: Axis[OpenShare] = ()
    pad_factor: Axis[Enlargement] = ()
