"""Whether who reaches our Ray must show a token, and whether nobody else can read it."""

import os

from orchestrator.doctor.check_result import Line
from orchestrator.executors.ray_tune.tokens import UNPROTECTED, token_file

_OTHERS = 0o077


def check_own_ray() -> list[Line]:
    """Of the Ray that `launch` starts on this machine."""
    mode = os.environ.get("RAY_AUTH_MODE", "token")
    if mode.lower() != "token":
        return [Line("warning", "authentication", f"RAY_AUTH_MODE={mode}: a Ray started here lets in everybody", "unset RAY_AUTH_MODE")]
    return [Line("ok", "authentication", "a Ray started here asks for a token, and listens on loopback alone"), *check_token_file()]


def check_cluster(said: list[str]) -> list[Line]:
    """Of a cluster that was joined; `said` are the warnings it was joined with."""
    if any(UNPROTECTED in text for text in said):
        reason, _, advice = UNPROTECTED.partition("; ")
        return [Line("warning", "authentication", reason, advice)]
    return [Line("ok", "authentication", "the cluster asks for a token, and takes ours"), *check_token_file()]


def check_token_file() -> list[Line]:
    """A line where others can read the user's token: who has it can run anything on the cluster."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return []
    path = token_file()
    try:
        mode = path.stat().st_mode & 0o777
    except OSError:
        return []
    if mode & _OTHERS:
        return [Line("warning", "token", f"{path} has mode {mode:04o}: others can read it", f"chmod 600 {path}")]
    return [Line("ok", "token", f"{path} is for its owner alone")]
