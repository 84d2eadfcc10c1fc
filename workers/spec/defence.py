"""Which defence a network has, every setting resolved. Imports neither torch nor Ray."""

from typing import Any

from workers.spec.fields import Bits, DefenceName, Enlargement, Frozen, NonNegative, OpenShare, Positive, WindowSize

SETTINGS: dict[DefenceName, tuple[str, ...]] = {
    "none": (),
    "defensive_dropout": ("dropout",),
    "defensive_quantization": ("activation_bits", "lipschitz_beta"),
    "feature_squeezing": ("bit_depth", "median_size"),
    "random_resize_pad": ("pad_factor",),
    "stochastic_activation_pruning": ("pruning_samples",),
}
"""The settings that each defence has."""

AROUND: frozenset[DefenceName] = frozenset({"feature_squeezing", "random_resize_pad", "stochastic_activation_pruning"})
"""The defences that are put around a trained network (stage `defend`), as in their papers; the others are trained in."""


RANDOMISED: frozenset[DefenceName] = frozenset({"defensive_dropout", "random_resize_pad", "stochastic_activation_pruning"})
"""The defences that draw anew at every forward pass."""


def is_randomised(theta: float, defence: DefenceName) -> bool:
    """Whether a model's forward passes are random: under a live sketch, or by its defence."""
    return theta < 1 or defence in RANDOMISED


class DefenceSpec(Frozen):
    """A defence and its settings; those of other defences have no effect (see `workers.defences` for what each one does).

    `bit_depth` and `median_size` are feature squeezing's, bits per colour and the side of the median filter's window in pixels (the
    paper's table 2: 5 bits, 2x2). `activation_bits` and `lipschitz_beta` are defensive quantization's; its paper tries 1 to 5 bits.
    `pruning_samples` is how many activations stochastic activation pruning draws, as a share of their number (SAP-100 of its paper:
    1.0). `dropout` is the probability that defensive dropout DROPS a feature; its paper tunes it against the attack. `pad_factor` is
    random resizing and padding's largest image side over the input's (its paper: 331/299, which is 1.107).
    """

    name: DefenceName = "none"
    bit_depth: Bits = 5
    median_size: WindowSize = 2
    activation_bits: Bits = 4
    lipschitz_beta: NonNegative = 3e-4
    pruning_samples: Positive = 1.0
    dropout: OpenShare = 0.3
    pad_factor: Enlargement = 1.107

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that have an effect, by name."""
        return {name: getattr(self, name) for name in SETTINGS[self.name]}

    def resolved(self) -> "DefenceSpec":
        """The same defence with the settings of all others at their defaults, so that equal computations have equal keys."""
        return DefenceSpec(name=self.name, **self.settings)


UNDEFENDED = DefenceSpec()
