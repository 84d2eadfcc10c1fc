"""The loss of a driver's lease: noticed in one thread, acted on in another."""

from collections.abc import Callable
from threading import Lock


class LeaseLoss:
    """Loss of a lease: `reason` is None while it is held. A callback is called at the loss, in the thread that notices it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._callback: Callable[[], None] | None = None
        self.reason: str | None = None

    def call(self, callback: Callable[[], None] | None) -> None:
        """Set the function to call once the lease is lost, or now if it is lost already; after `call(None)` has returned none is called."""
        with self._lock:
            self._callback = callback
            if callback is not None and self.reason is not None:
                callback()

    def notice(self, error: Exception) -> None:
        """Record the loss."""
        with self._lock:
            self.reason = str(error)
            if self._callback is not None:
                self._callback()
