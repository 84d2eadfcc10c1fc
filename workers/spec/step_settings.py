"""Types of settings that many attacks have: numbers of steps, with the paper's rule for them, and step sizes. Imports no torch."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import floor, inf
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, ValidationInfo

from workers.spec.fields import positive_fraction

NumberKind = Literal["float", "int", "literal"]
"""A `literal` is a number that is kept as written: an epsilon or a step size."""
DEFAULT_STEPSIZE = "1/255"
_ROUNDED = Fraction(1, 10**6)
"""Most that an epsilon, in steps of 8-bit pixels, may lack of the whole number that it means: 0.031372549 is 8/255."""


@dataclass(frozen=True)
class IsNumber:
    """Says which kind of number a type is that hides it, so that a search can have a range of it."""

    kind: NumberKind


def paper_steps(epsilon: Fraction) -> int:
    """The paper's number of steps for an exact `epsilon` in input units, (0, 1]: floor(min(e + 4, 1.25 e)), e = 255 epsilon; at least 1.

    Source: Kurakin et al. 2017 (BIM), as used by the paper for BIM and PGD: 2/255 -> 2, 8/255 -> 10, 16/255 -> 20.
    """
    e = 255 * epsilon + _ROUNDED
    return max(1, floor(min(e + 4, e * Fraction(5, 4))))


def steps_or_paper(own: int | None = None) -> Callable[[Any, ValidationInfo], Any]:
    """Validate a number of steps; `paper` is `own`, or where that is None the paper's rule.

    The word stays where the epsilon is not known yet (validation context `epsilon`, `norm`), as in an axis of a space.
    """

    def validated(value: Any, info: ValidationInfo) -> Any:
        if value != "paper":
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError("must be a whole number >= 1, or paper")
            return value
        context = info.context or {}
        if "epsilon" not in context:
            return value
        if own is None and context["norm"] != "linf":
            raise ValueError(f"there is no such rule under norm {context['norm']}; give a number of steps")
        return paper_steps(context["epsilon"]) if own is None else own

    return validated


def _stepsize(value: Any, info: ValidationInfo) -> Any:
    context = info.context or {}
    if value is None and context.get("norm", "linf") != "linf":
        raise ValueError(f"missing; under norm {context['norm']} it has no default")
    if isinstance(value, float):
        if not 0 < value < inf:
            raise ValueError("must be > 0")
        return value
    if "epsilon" in context:
        return float(positive_fraction(written(DEFAULT_STEPSIZE if value is None else value)))
    if value is not None:
        positive_fraction(written(value))
    return value if value is None else written(value)


def _stepsize_or_none(value: Any, info: ValidationInfo) -> Any:
    return None if value is None else _stepsize(value, info)


def written(value: object) -> str:
    """Return a number or a literal as it was written, without spaces; empty for anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "".join(str(value).split()) if is_number or isinstance(value, str) else ""


PaperSteps = Annotated[Any, PlainValidator(steps_or_paper()), IsNumber("int")]
"""A number of steps >= 1, or `paper`."""
HundredSteps = Annotated[Any, PlainValidator(steps_or_paper(100)), IsNumber("int")]
"""A number of steps >= 1, or `paper`: the hundred of the attack's own."""
Stepsize = Annotated[Any, PlainValidator(_stepsize), IsNumber("literal")]
"""A step size in input units, a number or a fraction such as 1/255; None is 1/255 under l-infinity and missing elsewhere."""
OptionalStepsize = Annotated[Any, PlainValidator(_stepsize_or_none), IsNumber("literal")]
"""A step size in input units, a number or a fraction; None leaves it to another setting."""
