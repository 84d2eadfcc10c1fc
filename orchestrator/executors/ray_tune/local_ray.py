"""Local Ray on this machine: it listens on loopback alone, and needs a token that only its own processes have."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from orchestrator.executors.ray_tune.ray_internals import loopback_alone, reread_authentication

_TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


@contextmanager
def local_ray_cluster(**settings: Any) -> Iterator[None]:
    """Run a local Ray, started with these settings of `ray.init`, inside the context; afterwards restore the environment.

    Its token is in the environment of its processes, which no other user can read, and in no file: Ray itself would write one that
    every user of the machine can read. A token or a mode that the user's environment sets is left unchanged.
    """
    import ray

    before = dict(os.environ)
    with loopback_alone():
        try:
            os.environ["RAY_AUTH_MODE"] = os.environ.get("RAY_AUTH_MODE", "token")
            if not any(os.environ.get(name) for name in _TOKENS):
                os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
            reread_authentication()
            # `local` explicitly: otherwise Ray attaches to any cluster that an earlier program left behind.
            ray.init(address="local", include_dashboard=False, **settings)
            yield
        finally:
            ray.shutdown()
            _restore(before, ("RAY_AUTH_MODE", *_TOKENS))
            reread_authentication()


def _restore(before: dict[str, str], names: tuple[str, ...]) -> None:
    for name in names:
        os.environ.pop(name, None)
        if name in before:
            os.environ[name] = before[name]
