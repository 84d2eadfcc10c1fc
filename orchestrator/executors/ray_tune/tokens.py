"""Ray's authentication token: the user's own, shown to a cluster that asks for one."""

import os

from workers.errors import UserError

HOW = "put the cluster's token into ~/.ray/auth_token, or name its file in RAY_AUTH_TOKEN_PATH"
OPEN = "this Ray cluster asks for no token: whoever reaches it can run anything on it; start its nodes with RAY_AUTH_MODE=token"


def users_token(address: str) -> str:
    """The token in `RAY_AUTH_TOKEN`, the file that `RAY_AUTH_TOKEN_PATH` names, or `~/.ray/auth_token`, for the cluster at `address`.

    Raises:
        UserError: there is none.
    """
    from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]
    from ray.exceptions import AuthenticationError

    try:
        token: str = AuthenticationTokenLoader.instance().get_raw_token(ignore_auth_mode=True)
    except AuthenticationError as error:
        raise UserError(f"--address {address}: {str(error).partition('. ')[0]}; {HOW}") from None
    if not token:
        raise UserError(f"--address {address}: the cluster asks for a token; {HOW}")
    return token


def wrong_token(address: str) -> UserError:
    return UserError(f"--address {address}: the token here is not the cluster's; {HOW}")


def show_token() -> None:
    """From now on this process shows the user's token, whether or not the user has set `RAY_AUTH_MODE`."""
    os.environ["RAY_AUTH_MODE"] = "token"
    reread_authentication()
