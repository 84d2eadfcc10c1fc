"""What a running job tells of itself, and how often. Imports no torch."""

import time
from collections.abc import Callable

from workers.artifacts.results import BatchRecord, EpochRecord

Report = Callable[[EpochRecord | BatchRecord], None]


def say_nothing(record: EpochRecord | BatchRecord) -> None:
    """A report to nobody."""


def throttled(report: Report, *, seconds: float) -> Report:
    """The same report, with every epoch and at most one batch in so many seconds; the first batches have none."""
    last: float | None = None

    def limited(record: EpochRecord | BatchRecord) -> None:
        nonlocal last
        now = time.monotonic()
        last = now if last is None else last
        if isinstance(record, EpochRecord) or now - last >= seconds:
            last = now
            report(record)

    return limited
