"""Time limit for checks that a dead network share or a remote endpoint could block."""

from collections.abc import Callable
from queue import Empty, Queue
from threading import Thread
from typing import TypeVar

from workers.errors import UserError

TIMEOUT = 30.0
"""Time limit of one check in seconds; nothing that a sweep can work with takes longer."""

T = TypeVar("T")


def with_timeout(seconds: float, check: Callable[[], T], *, what: str) -> T:
    """Return what the check returns, or raise what it raises; it is left running if that takes longer.

    Raises:
        UserError: it took longer.
    """
    answers: Queue[tuple[T | None, BaseException | None]] = Queue()

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
