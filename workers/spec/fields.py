"""Field types that the job specs and the space files share: ranges and epsilons, with errors that name the legal values."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

Stage = Literal["pretrain", "adopt", "fine_tune", "select", "defend", "evaluate", "craft", "attack", "diagnose", "surface", "corrupt"]
TrainingStage = Literal["pretrain", "adopt", "fine_tune", "select", "defend"]
"""The stages that end with a model."""
NormName = Literal["l2", "linf"]
LossName = Literal["ce", "dlr", "margin"]
TargetName = Literal["least_likely", "next", "none", "random"]
BackendName = Literal["foolbox", "native"]
Knowledge = Literal["eot", "omniscient", "randomized", "transfer"]
CRAFTED: frozenset[Knowledge] = frozenset({"omniscient", "transfer"})
"""Knowledge of those attackers whose examples are made once, beforehand, and then tried in every repeat."""
SurfaceDirection = Literal["own", "theta_one"]
SplitName = Literal["test", "validation"]
"""Splits that models are measured on: choices are made on `validation`, and `test` is reported."""
Factorization = Literal["cp", "tt", "tucker"]
"""Forms that a kernel is stored in: a sum of rank-one terms, a tensor train, or a core and factors."""
RankKind = Literal["channels", "dimensions", "parameters"]
SketchModes = Literal["all", "channels"]
AllZero = Literal["keep", "redraw"]
Draws = Literal["batch", "example"]
Randomness = Literal["batch", "example", "none"]
"""Randomness of an attacked net: one draw per forward pass, one per example of it, or not at all."""
ExampleOrder = Literal["balanced", "file", "random"]
ExecutionChoice = Literal["auto", "factorized", "reconstruct"]
Initialisation = Literal["decompose", "random"]
SignGradientName = Literal["identity", "tanh", "tanh075"]
Schedule = Literal["cosine", "linear", "one_cycle", "step"]
Optimizer = Literal["adam", "adamw", "sgd"]
WeightAveraging = Literal["ema", "none", "swa"]
Augmentation = Literal["autoaugment", "idbh", "none", "randaugment", "trivialaugment"]
"""Policies that change each training image at random."""
Mixing = Literal["cutmix", "mixup", "none"]
"""Ways of mixing two training examples, and their labels."""
CheckpointName = Literal["best", "last"]
"""Weights of a training: those after its last epoch, or after the epoch that was best on the validation split."""
Precision = Literal["auto", "bf16", "float32"]
AttackPrecision = Literal["bf16", "float32"]
AdversarialTraining = Literal["n_fgsm", "none", "pgd", "r_fgsm", "rs_fgsm"]
AdversarialLoss = Literal["ce", "kl"]
Recipe = Literal["awp", "custom", "fast", "fast_at", "grad_align", "madry", "mart", "paper", "trades"]


@dataclass(frozen=True)
class Interval:
    """A validator: `low <= value <= high`, an end being excluded where it is named open."""

    low: float
    high: float = float("inf")
    low_open: bool = False
    high_open: bool = False

    def __str__(self) -> str:
        if self.high == float("inf"):
            return f"{'>' if self.low_open else '>='} {self.low:g}"
        left, right = "(" if self.low_open else "[", ")" if self.high_open else "]"
        return f"in {left}{self.low:g}, {self.high:g}{right}"

    def __call__(self, value: float) -> float:
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        if not (above and below):
            raise ValueError(f"must be {self}")
        return value


@dataclass(frozen=True)
class OneOf:
    """A validator: the value is one of `legal`."""

    legal: tuple[int, ...]

    def __call__(self, value: int) -> int:
        if value not in self.legal:
            raise ValueError(f"must be one of {', '.join(map(str, self.legal))}")
        return value


Theta = Annotated[float, AfterValidator(Interval(0, 1, low_open=True))]
RankFraction = Annotated[float, AfterValidator(Interval(0, 1, low_open=True))]


class FrozenMapping(dict[str, Any]):
    """A mapping that can be hashed; nothing changes it once it is part of a spec."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))


def _patterns(values: dict[str, float]) -> FrozenMapping:
    for pattern in values:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r}: is no regular expression ({error})") from None
    return FrozenMapping(values)


RankFractions = Annotated[dict[str, RankFraction], AfterValidator(_patterns)]
"""Rank fractions by regular expressions that the beginning of a layer's name must match; the first one that does counts."""
Normalisation = Literal["data", "imagenet", "none"]
"""Mean and standard deviation by which inputs are normalised: the data set's, ImageNet's, or not at all (a net that does it itself)."""
Prefixes = Annotated[dict[str, str], AfterValidator(FrozenMapping)]
"""Beginnings of the names of weights, and what a network has instead; the first one that matches counts."""
Share = Annotated[float, AfterValidator(Interval(0, 1))]
ShareBelowOne = Annotated[float, AfterValidator(Interval(0, 1, high_open=True))]
Factor = Annotated[float, AfterValidator(Interval(0, 1, low_open=True))]
OpenShare = Annotated[float, AfterValidator(Interval(0, 1, low_open=True, high_open=True))]
Positive = Annotated[float, AfterValidator(Interval(0, low_open=True))]
NonNegative = Annotated[float, AfterValidator(Interval(0))]
Count = Annotated[int, AfterValidator(Interval(1))]
Bits = Annotated[int, AfterValidator(Interval(1, 8))]
Index = Annotated[int, AfterValidator(Interval(0))]


def _held_out(value: float) -> float:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, float) and 0 < value < 1:
        return value
    raise ValueError("must be a whole number >= 0, or a share in (0, 1)")


HeldOut = Annotated[int | float, AfterValidator(_held_out)]
"""Number of examples that are held out, or their share of all."""


# Fraction("1e999999999") would fill the memory before it could be found out of range.
_LITERAL = re.compile(r"(?!.*e[+-]?\d{3}).{1,40}", re.IGNORECASE)


def epsilon_fraction(literal: str) -> Fraction:
    """The exact value of an epsilon literal in input units: `8/255`, `0.031`, `1e-2`; see `positive_fraction`.

    Raises:
        ValueError: the literal is no number of at most 40 characters with an exponent of at most two digits, or not in (0, 1].
    """
    value = _as_meant(fraction(literal))
    if not 0 < value <= 1:
        raise ValueError("must be in (0, 1] (input units: 8/255, not 8)")
    return value


def positive_fraction(literal: str) -> Fraction:
    """The exact value of a literal that may exceed 1: an l2 epsilon, `0.5` or `3`, in input units.

    The digits of a floating-point number mean the fraction that it is next to: 0.03137254901960784, 15 digits of it as spreadsheets
    write them, and the float32 0.03137255 are 8/255.

    Raises:
        ValueError: the literal is no number of at most 40 characters with an exponent of at most two digits, or not positive.
    """
    value = _as_meant(fraction(literal))
    if not value > 0:
        raise ValueError("must be > 0")
    return value


_LARGEST_DENOMINATOR, _FLOAT_ACCURACY = 1020, Fraction(1, 2**24)


def _as_meant(value: Fraction) -> Fraction:
    """Return the fraction of a small denominator, such as 255, that equals the value within the accuracy of float32, else the value."""
    meant = value.limit_denominator(_LARGEST_DENOMINATOR)
    return meant if abs(value - meant) <= abs(value) * _FLOAT_ACCURACY else value


def spelled(epsilon: float) -> str:
    """Return an epsilon as one writes it where no sweep says how: `8/255` for whole steps of 8-bit pixels, else its digits."""
    steps = 255 * _as_meant(Fraction(repr(epsilon)))
    return f"{steps}/255" if steps.denominator == 1 and 0 < epsilon < 1 else repr(epsilon).removesuffix(".0")


def fraction(literal: str) -> Fraction:
    """The exact value of a number or a fraction as a person writes it.

    Raises:
        ValueError: the literal is no number of at most 40 characters with an exponent of at most two digits.
    """
    try:
        return Fraction(literal if _LITERAL.fullmatch(literal) else "")
    except (ValueError, ZeroDivisionError):
        raise ValueError("must be a number or a fraction such as 8/255 (at most 40 characters, exponents of two digits)") from None
