"""Whether a sweep may be driven: one driver at a time, and a silent one is given time for a sign of life."""

import os
import socket
from time import monotonic, sleep

from rich.console import Console

from orchestrator.console import say
from orchestrator.store import Store
from orchestrator.store.leases.leases import Driver, Holder, age, holder_of, is_alive, moment, refusal
from orchestrator.store.leases.processes import is_gone, this_process
from workers.errors import UserError

WATCH_SECONDS = 15.0
"""Three heartbeats: who was merely cut off from the database, or whose clock was set, is heard of within them."""

_LOOK_SECONDS = 0.5


def this_driver() -> Driver:
    return Driver(host=socket.gethostname(), pid=os.getpid(), process=this_process())


def free_to_drive(store: Store, sweep: str, console: Console) -> Holder | None:
    """Who drove the sweep last, if nobody drives it now; a driver that is known to be dead, or shows no sign of life, does not.

    Raises:
        UserError: somebody does; the message says who.
    """
    holder, now = holder_of(store, sweep)
    if holder is None or holder.heartbeat_at is None or is_gone(holder.process):
        return holder
    if is_alive(holder.heartbeat_at, holder.process, now=now):
        raise UserError(refusal(sweep, holder, now=now))
    silence = f"{age(now - holder.heartbeat_at)}, since {moment(holder.heartbeat_at)}"
    say(console, f"sweep {sweep}: {holder.who} never left it and is silent for {silence}; waiting {WATCH_SECONDS:.0f} s for a sign of life")
    return _watched(store, sweep, holder)


def _watched(store: Store, sweep: str, holder: Holder) -> Holder | None:
    end = monotonic() + WATCH_SECONDS
    while monotonic() < end:
        sleep(_LOOK_SECONDS)
        found, now = holder_of(store, sweep)
        if found is not None and found.heartbeat_at is not None and found != holder:
            raise UserError(refusal(sweep, found, now=now))
        if found is None or found.heartbeat_at is None:
            return found
    return holder
