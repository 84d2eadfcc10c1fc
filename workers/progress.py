"""Progress reports of a running job, and their rate. Imports no torch."""

import time
from collections.abc import Callable

from workers.artifacts.outcomes import BatchRecord, EpochRecord

Report = Callable[[EpochRecord | BatchRecord], None]


def say_nothing(record: EpochRecord | BatchRecord) -> None:
    """Ignore the record."""


def throttled(report: Report, *, seconds: float) -> Report:
    """Limit a report to every epoch and at most one batch in so many seconds; the first batches are not reported."""
    last: float | None = None

    def limited(record: EpochRecord | BatchRecord) -> None:
        nonlocal last
        now = time.monotonic()
        last = now if last is None else last
        if isinstance(record, EpochRecord) or now - last >= seconds:
            last = now
            report(record)

    return limited
