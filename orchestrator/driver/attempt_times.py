"""Start and end times of attempts: database time, advanced between heartbeats by the monotonic clock."""

from datetime import datetime, timedelta
from time import monotonic


class AttemptTimes:
    """Clock for attempts, and the start times of those under way by job key."""

    def __init__(self, now: datetime) -> None:
        self._set = now, monotonic()
        self._started: dict[str, tuple[datetime, float]] = {}

    def set(self, now: datetime) -> None:
        """Set the clock to the database's time."""
        self._set = now, monotonic()  # one assignment: another thread reads

    def start(self, key: str) -> datetime:
        """Record the start of an attempt; return its time."""
        at = self._now()
        self._started[key] = at, monotonic()
        return at

    def end(self, key: str) -> datetime:
        """Return the time now; for an attempt, its start plus its duration on the monotonic clock."""
        if (started := self._started.pop(key, None)) is None:
            return self._now()
        at, since = started
        return at + timedelta(seconds=monotonic() - since)

    def _now(self) -> datetime:
        now, since = self._set
        return now + timedelta(seconds=monotonic() - since)
