"""Parameters of a search: one for each range of a space file."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Literal

from workers.components.settings import Frozen

ParameterValue = bool | int | float | str | None
"""Value that a parameter may be set to; a choice that is a list is written as text, `[2/255, 8/255]`."""

Path = tuple[str | int, ...]


class Parameter(Frozen):
    """One setting that is searched, by its dotted path: `model.theta`, `attacks.0.abs_stepsize`, `model.stage_rank_fractions.2`.

    A number lies in [`low`, `high`], with a `step` on a grid of about that step from `low` to `high`, with `log` drawn by its logarithm;
    a categorical one is among `choices`. It is only chosen where every parameter in `when` has one of the values named there; elsewhere its
    setting is absent from the space and has its default.
    """

    name: str
    kind: Literal["categorical", "float", "int"]
    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = None
    log: bool = False
    choices: tuple[ParameterValue, ...] = ()
    when: dict[str, tuple[ParameterValue, ...]] = {}

    @property
    def path(self) -> Path:
        """Path in the space: a section and its field, `("model", "theta")`; groups and the items of one value are numbered."""
        return tuple(int(part) if part.isdigit() else part for part in self.name.split("."))

    @property
    def ends(self) -> tuple[ParameterValue, ...]:
        """The extreme values: both ends of a range, or every choice."""
        return self.choices if self.kind == "categorical" else tuple(dict.fromkeys((self.low, self.high)))

    def applies(self, values: Mapping[str, ParameterValue]) -> bool:
        """Tell whether it is chosen, given the values of the parameters it depends on; an absent one satisfies no condition."""
        return all(name in values and values[name] in allowed for name, allowed in self.when.items())

    @property
    def steps(self) -> int:
        """Number of steps from `low` to `high`. All are equally wide, also where `step` is a rounded number."""
        return 0 if self.step is None else round((_fraction(self.high) - _fraction(self.low)) / _fraction(self.step))

    def place(self, value: float) -> int:
        """Return the number of steps from `low` to the value of the grid that is next to `value`."""
        low, high = _fraction(self.low), _fraction(self.high)
        return round((_fraction(value) - low) * self.steps / (high - low)) if self.steps else 0

    def exact(self, value: ParameterValue) -> ParameterValue:
        """Return the value as a person would write it: 0.95, not the 0.9500000000000001 that counting steps of 0.05 from 0.8 gives."""
        if self.kind != "float" or not self.steps or not isinstance(value, int | float):
            return value
        low, high = _fraction(self.low), _fraction(self.high)
        return float(low + (high - low) * self.place(value) / self.steps)

    def require(self, value: ParameterValue) -> None:
        """Check that the value can be chosen.

        Raises:
            ValueError: the value is not legal.
        """
        if self.kind == "categorical":
            if value not in self.choices:
                raise ValueError(f"{self.name}={value!r}: one of {', '.join(map(str, self.choices))}")
        elif not self._is_number(value) or not self._is_within(value):
            whole = "a whole number " if self.kind == "int" else ""
            raise ValueError(f"{self.name}={value!r}: must be {whole}in [{self.low}, {self.high}]")

    def _is_number(self, value: ParameterValue) -> bool:
        return isinstance(value, int if self.kind == "int" else int | float) and not isinstance(value, bool)

    def _is_within(self, value: ParameterValue) -> bool:
        exact = self.exact(value)
        if not isinstance(exact, int | float) or self.low is None or self.high is None:
            return False
        between = self.kind == "int" and self.step is not None and (exact - self.low) % self.step
        return self.low <= exact <= self.high and not between


def _fraction(number: ParameterValue) -> Fraction:
    """Return the number that a float's digits say."""
    return Fraction(repr(number))
