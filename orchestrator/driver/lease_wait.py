"""Check of a sweep's lease before it is taken: one driver at a time, and a silent one gets time to send a heartbeat;
and its loss afterwards."""

import os
import socket
from collections.abc import Callable
from threading import Lock
from time import monotonic, sleep

from rich.console import Console

from orchestrator.store import Store
from orchestrator.store.leases.leases import Driver, LeaseHolder, age, holder_of, is_alive, moment, refusal
from orchestrator.store.leases.processes import is_gone, this_process
from orchestrator.terminal.console import say
from workers.errors import UserError

WATCH_SECONDS = 15.0
"""Three heartbeats: enough for a driver that was only cut off from the database, or whose clock was changed, to send one."""

_LOOK_SECONDS = 0.5


def this_driver() -> Driver:
    return Driver(host=socket.gethostname(), pid=os.getpid(), process=this_process())


def wait_for_lease(store: Store, sweep: str, console: Console) -> LeaseHolder | None:
    """Return the last holder of the sweep's lease once the lease is free: released, its holder known to be dead, or without heartbeats.

    Raises:
        UserError: another driver holds it; the message names the driver.
    """
    holder, now = holder_of(store, sweep)
    if holder is None or holder.heartbeat_at is None or is_gone(holder.process):
        return holder
    if is_alive(holder.heartbeat_at, holder.process, now=now):
        raise UserError(refusal(sweep, holder, now=now))
    silence = f"{age(now - holder.heartbeat_at)}, since {moment(holder.heartbeat_at)}"
    wait = f"waiting {WATCH_SECONDS:.0f} s for a heartbeat"
    say(console, f"sweep {sweep}: {holder.who} never released it and is silent for {silence}; {wait}")
    return _watched(store, sweep, holder)


def _watched(store: Store, sweep: str, holder: LeaseHolder) -> LeaseHolder | None:
    end = monotonic() + WATCH_SECONDS
    while monotonic() < end:
        sleep(_LOOK_SECONDS)
        found, now = holder_of(store, sweep)
        if found is not None and found.heartbeat_at is not None and found != holder:
            raise UserError(refusal(sweep, found, now=now))
        if found is None or found.heartbeat_at is None:
            return found
    return holder


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
