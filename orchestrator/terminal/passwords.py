"""Protection of a database's password: kept out of the process list and out of the environment that Ray's processes inherit."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from workers.errors import UserError

STORE_VARIABLE = "ROBUSTSWEEP_STORE"
_SECRETS = (STORE_VARIABLE, "PGPASSWORD")
_OPTION = "--store"
_PASSWORD = re.compile(r"://[^/@]*:[^@]*@|[?&]\w*password=")


def hide_arguments() -> None:
    """Restart this program if its arguments hold a password, which every user of the machine could read there.

    The URL is then passed in the environment, which only its owner (and root) can read.

    Raises:
        UserError: a password is in an argument other than the store's URL.
    """
    arguments, url = without_store(sys.orig_argv[1:])
    if any(_PASSWORD.search(argument) for argument in arguments):
        raise UserError(f"an argument holds a password: only {_OPTION} takes a database's URL")
    if url is not None and _PASSWORD.search(url):
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *arguments], os.environ | {STORE_VARIABLE: url})  # noqa: S606 (it is this program)


def without_store(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the arguments without the store's option, and its value (the last one counts; None: it is not given)."""
    kept: list[str] = []
    url = None
    left = iter(arguments)
    for argument in left:
        name, equals, value = argument.partition("=")
        if name != _OPTION:
            kept.append(argument)
        elif equals:
            url = value
        elif (following := next(left, None)) is None:
            kept.append(argument)
        else:
            url = following
    return kept, url


@contextmanager
def without_secrets() -> Iterator[None]:
    """Hide the store's address and its password from processes that are started inside the context: workers need neither."""
    hidden = {name: os.environ.pop(name) for name in _SECRETS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
