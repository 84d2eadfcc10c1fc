"""Local Ray on this machine: it listens on loopback alone, and needs a token that only its own processes have. And the user's own token,
for a cluster that asks for one."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.executors.ray_tune.ray_internals import (
    job_of_this_code,
    loopback_alone,
    reclaim_sigterm,
    reread_authentication,
    unobtrusive,
)
from orchestrator.executors.ray_tune.ray_watch import RayDied, RayWatch, StartLoss
from orchestrator.temp_folder import temp_folder
from workers.errors import UserError, first_line
from workers.files import read_regular

_TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


@contextmanager
def local_ray_cluster(**settings: Any) -> Iterator[None]:
    """Run a local Ray, started with these settings of `ray.init`, inside the context; afterwards restore the environment.

    Its token is in the environment of its processes, which no other user can read, and in no file: Ray itself would write one that
    every user of the machine can read. A token or a mode that the user's environment sets is left unchanged. Its files and its sockets,
    which Ray lets everybody use, are in a folder of ours that no other user can enter and that is removed.

    Raises:
        RayDied: it does not start, as on a machine that is so busy that Ray's half minute for that is not enough.
    """
    import ray

    before = dict(os.environ)
    with temp_folder() as folder, loopback_alone(), unobtrusive():
        try:
            os.environ["RAY_AUTH_MODE"] = os.environ.get("RAY_AUTH_MODE", "token")
            if not any(os.environ.get(name) for name in _TOKENS):
                os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
            reread_authentication()
            _start(_temp_dir=str(folder / "r"), **settings)
            yield
        finally:
            ray.shutdown(wait_for_processes=True)
            _restore(before, ("RAY_AUTH_MODE", *_TOKENS))
            reread_authentication()


def _start(**settings: Any) -> None:
    import ray

    try:
        # `local` explicitly: otherwise Ray attaches to any cluster that an earlier program left behind.
        with RayWatch(StartLoss()):
            ray.init(address="local", include_dashboard=False, job_config=job_of_this_code(), **settings)
        reclaim_sigterm()
    except Exception as error:
        raise RayDied(f"Ray did not start on this machine: {first_line(error).rstrip('.')}") from error


def _restore(before: dict[str, str], names: tuple[str, ...]) -> None:
    for name in names:
        os.environ.pop(name, None)
        if name in before:
            os.environ[name] = before[name]


_REMEDY = "put the cluster's token into ~/.ray/auth_token, or name its file in RAY_AUTH_TOKEN_PATH"
UNPROTECTED = "this Ray cluster asks for no token: anyone who can reach it can run anything on it; start its nodes with RAY_AUTH_MODE=token"


def users_token(address: str) -> str:
    """Return the user's token for `address`, from `RAY_AUTH_TOKEN`, the file named by `RAY_AUTH_TOKEN_PATH`, or `~/.ray/auth_token`.

    Ray documents these places, in this order; it reads them itself when it connects.

    Raises:
        UserError: there is none.
    """
    given = os.environ.get("RAY_AUTH_TOKEN")
    if token := (given or _read(token_file())).strip():
        return token
    if not given and (named := os.environ.get("RAY_AUTH_TOKEN_PATH")):
        raise UserError(f"--address {address}: RAY_AUTH_TOKEN_PATH is set but file cannot be opened or is empty: {named}; {_REMEDY}")
    raise UserError(f"--address {address}: the cluster asks for a token; {_REMEDY}")


def token_file() -> Path:
    """The file of the user's token, where `RAY_AUTH_TOKEN` gives none."""
    return Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")


def _read(path: Path) -> str:
    try:
        return read_regular(path).decode()
    except (OSError, UnicodeDecodeError):
        return ""


def wrong_token(address: str) -> UserError:
    return UserError(f"--address {address}: the token here is not the cluster's; {_REMEDY}")


def send_users_token() -> None:
    """Make this process send the user's token from now on, even if the user has not set `RAY_AUTH_MODE`."""
    os.environ["RAY_AUTH_MODE"] = "token"
    reread_authentication()
