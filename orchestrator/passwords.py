"""Keeping a database's password where only its owner can read it: not in the process list, and not in what Ray's processes inherit."""

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
    """Start this program anew where its arguments hold a password, which everybody on the machine could read there.

    The URL then comes by the environment, which only its owner (and root) can read.

    Raises:
        UserError: a password is among the arguments, and not in the store's URL.
    """
    arguments, url = without_store(sys.orig_argv[1:])
    if any(_PASSWORD.search(argument) for argument in arguments):
        raise UserError(f"an argument holds a password: only {_OPTION} takes a database's URL")
    if url is not None and _PASSWORD.search(url):
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *arguments], os.environ | {STORE_VARIABLE: url})  # noqa: S606 (it is this program)


def without_store(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """The arguments without the store's option, and its value (the last one counts; None: it is not given)."""
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
    """Inside, processes that are started inherit neither the store's address nor its password: workers need neither."""
    hidden = {name: os.environ.pop(name) for name in _SECRETS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
