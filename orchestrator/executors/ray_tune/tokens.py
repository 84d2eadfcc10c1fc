"""Authentication token of Ray: the user's own, sent to a cluster that needs one."""

import os
from pathlib import Path

from orchestrator.executors.ray_tune.ray_internals import reread_authentication
from workers.errors import UserError

_REMEDY = "put the cluster's token into ~/.ray/auth_token, or name its file in RAY_AUTH_TOKEN_PATH"
UNPROTECTED = "this Ray cluster asks for no token: anyone who can reach it can run anything on it; start its nodes with RAY_AUTH_MODE=token"


def users_token(address: str) -> str:
    """Return the user's token for `address`, from `RAY_AUTH_TOKEN`, the file named by `RAY_AUTH_TOKEN_PATH`, or `~/.ray/auth_token`.

    Ray documents these places, in this order; it reads them itself when it connects.

    Raises:
        UserError: there is none.
    """
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    token = os.environ.get("RAY_AUTH_TOKEN") or _read(Path(named) if named else Path.home() / ".ray" / "auth_token")
    if token.strip():
        return token.strip()
    if named and not os.environ.get("RAY_AUTH_TOKEN"):
        raise UserError(f"--address {address}: RAY_AUTH_TOKEN_PATH is set but file cannot be opened or is empty: {named}; {_REMEDY}")
    raise UserError(f"--address {address}: the cluster asks for a token; {_REMEDY}")


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def wrong_token(address: str) -> UserError:
    return UserError(f"--address {address}: the token here is not the cluster's; {_REMEDY}")


def send_users_token() -> None:
    """Make this process send the user's token from now on, even if the user has not set `RAY_AUTH_MODE`."""
    os.environ["RAY_AUTH_MODE"] = "token"
    reread_authentication()
