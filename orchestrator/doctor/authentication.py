"""Checks that clients of our Ray need a token, and that no other user can read it."""

import os

from orchestrator.doctor.check_result import Line
from orchestrator.executors.ray_tune.tokens import UNPROTECTED, token_file

_OTHERS = 0o077


def check_own_ray() -> list[Line]:
    """Check the Ray that `launch` starts on this machine."""
    mode = os.environ.get("RAY_AUTH_MODE", "token")
    if mode.lower() != "token":
        return [Line("warning", "authentication", f"RAY_AUTH_MODE={mode}: a Ray started here accepts every client", "unset RAY_AUTH_MODE")]
    return [Line("ok", "authentication", "a Ray started here requires a token, and listens on loopback only"), *check_token_file()]


def check_cluster(said: list[str]) -> list[Line]:
    """Check a cluster that was joined; `said` are the warnings that joining it gave."""
    if any(UNPROTECTED in text for text in said):
        reason, _, advice = UNPROTECTED.partition("; ")
        return [Line("warning", "authentication", reason, advice)]
    return [Line("ok", "authentication", "the cluster requires a token, and accepts ours"), *check_token_file()]


def check_token_file() -> list[Line]:
    """Check that others cannot read the user's token: anyone who has it can run anything on the cluster."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return []
    path = token_file()
    try:
        mode = path.stat().st_mode & 0o777
    except OSError:
        return []
    if mode & _OTHERS:
        return [Line("warning", "token", f"{path} has mode {mode:04o}: others can read it", f"chmod 600 {path}")]
    return [Line("ok", "token", f"{path} can be read by its owner only")]
