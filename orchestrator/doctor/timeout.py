"""Checks that a dead network share or a far endpoint must not hold up."""

from collections.abc import Callable
from queue import Empty, Queue
from threading import Thread
from typing import TypeVar

from workers.errors import UserError

PATIENCE = 30.0
"""Seconds that one check gets; nothing that a sweep can work with takes longer."""

Found = TypeVar("Found")


def within(seconds: float, check: Callable[[], Found], *, what: str) -> Found:
    """What the check returns or raises; it is left to itself if that takes longer.

    Raises:
        UserError: it did.
    """
    answers: Queue[tuple[Found | None, BaseException | None]] = Queue()

    def run() -> None:
        try:
            answers.put((check(), None))
        except BaseException as error:
            answers.put((None, error))

    Thread(target=run, daemon=True).start()
    try:
        found, error = answers.get(timeout=seconds)
    except Empty:
        raise UserError(f"{what}: no answer within {seconds:g} s") from None
    if error is not None:
        raise error
    return found  # type: ignore[return-value]
