"""Time that an audit may take."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from workers.errors import UserError

_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Budget:
    """A number of seconds from now; None: no end. No round begins after it, one that has begun is finished."""

    seconds: float | None
    clock: Callable[[], float] = time.monotonic
    _start: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_start", self.clock())

    @property
    def is_spent(self) -> bool:
        return self.seconds is not None and self.clock() - self._start >= self.seconds


def read_budget(text: str | None) -> Budget:
    """Read `90s`, `30m` or `2h`.

    Raises:
        UserError: it is none of these.
    """
    if text is None:
        return Budget(None)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if found is None or float(found[1]) == 0:
        raise UserError(f"--budget {text!r}: a number of seconds, minutes or hours, such as 90s, 30m or 2h")
    return Budget(float(found[1]) * _UNITS[found[2]])
