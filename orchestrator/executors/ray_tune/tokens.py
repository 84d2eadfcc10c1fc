"""Authentication token of Ray: the user's own, sent to a cluster that needs one."""

import os

from workers.errors import UserError

HOW = "put the cluster's token into ~/.ray/auth_token, or name its file in RAY_AUTH_TOKEN_PATH"
OPEN = "this Ray cluster asks for no token: anyone who can reach it can run anything on it; start its nodes with RAY_AUTH_MODE=token"


def users_token(address: str) -> str:
    """Return the user's token for `address`, from `RAY_AUTH_TOKEN`, the file named by `RAY_AUTH_TOKEN_PATH`, or `~/.ray/auth_token`.

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
    """Make this process send the user's token from now on, even if the user has not set `RAY_AUTH_MODE`."""
    os.environ["RAY_AUTH_MODE"] = "token"
    reread_authentication()


def reread_authentication() -> None:
    """Make Ray, which reads the environment only once, read the authentication mode and token again."""
    from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()
