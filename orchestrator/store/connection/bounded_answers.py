"""Answers of a database that end in time, and before they take more of this process's memory than they may."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from time import monotonic
from typing import TypeVar

from workers.errors import UserError

MOST_MEMORY = 400_000_000
_PAUSE = 0.02

T = TypeVar("T")


def bounded(answer: Callable[[], T], stop: Callable[[], None], *, timeout: float) -> T:
    """Return what `answer` returns. It is called in a thread: what stops this one, such as Ctrl-C, stops it, whenever it comes.

    Args:
        answer: waits for the database.
        stop: makes it fail soon; called until it does.
        timeout: seconds.

    Raises:
        UserError: it takes longer, or the process takes `MOST_MEMORY` more than before.
    """
    from psutil import Process

    before, end = Process().memory_info().rss, monotonic() + timeout
    asked: Future[T] = Future()
    thread = Thread(target=_settle, args=(asked, answer), daemon=True)
    try:
        thread.start()
        while True:
            is_over = _is_over(thread)
            if Process().memory_info().rss - before > MOST_MEMORY:
                raise UserError(f"query: its answer takes more than {MOST_MEMORY / 1e6:g} MB of memory; add a LIMIT, or aggregate")
            if is_over:
                return asked.result()
            if monotonic() > end:
                raise too_long(timeout)
    finally:
        while thread.is_alive():  # one interruption may come before the statement has begun
            stop()
            thread.join(_PAUSE)


def too_long(timeout: float) -> UserError:
    """Return the error of a statement that is stopped."""
    return UserError(f"query: stopped after {timeout:g} s (--timeout)")


def _is_over(thread: Thread) -> bool:
    thread.join(_PAUSE)
    return not thread.is_alive()


def _settle(asked: "Future[T]", answer: Callable[[], T]) -> None:
    try:
        asked.set_result(answer())
    except BaseException as error:
        asked.set_exception(error)
