"""Retries after database errors: everything is repeated soon, for a limited time."""

import time

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

DATABASE_ERRORS = (SQLAlchemyError, StorageInternalError)

_RETRY_SECONDS = 2.0
_TIMEOUT_SECONDS = 600.0


class DatabaseRetry:
    """Time of the next retry, and duration of the failures so far."""

    def __init__(self) -> None:
        self._failing_since: float | None = None
        self._retry_at = 0.0

    @property
    def is_due(self) -> bool:
        """True where the database may be used now."""
        return time.monotonic() >= self._retry_at

    def succeeded(self) -> None:
        self._failing_since = None

    def failed(self) -> None:
        now = time.monotonic()
        self._retry_at = now + _RETRY_SECONDS
        self._failing_since = self._failing_since or now

    @property
    def timeout(self) -> float | None:
        """Timeout in seconds once it has passed without a success; None before."""
        lasting = self._failing_since is not None and time.monotonic() - self._failing_since > _TIMEOUT_SECONDS
        return _TIMEOUT_SECONDS if lasting else None
