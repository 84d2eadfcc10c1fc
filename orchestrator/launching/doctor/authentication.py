"""Checks that clients of our Ray need a token, and that no other user can read it."""

import os

from orchestrator.executors.ray_tune.local_ray import UNPROTECTED, token_file
from orchestrator.launching.doctor.results_of_checks import CheckResult

_OTHERS = 0o077


def check_own_ray() -> list[CheckResult]:
    """Check the Ray that `launch` starts on this machine."""
    mode = os.environ.get("RAY_AUTH_MODE", "token")
    if mode.lower() != "token":
        return [
            CheckResult(
                "warning", "authentication", f"RAY_AUTH_MODE={mode}: a Ray started here accepts every client", "unset RAY_AUTH_MODE"
            )
        ]
    return [CheckResult("ok", "authentication", "a Ray started here requires a token, and listens on loopback only"), *check_token_file()]


def check_cluster(said: list[str]) -> list[CheckResult]:
    """Check a cluster that was joined; `said` are the warnings that joining it gave."""
    if any(UNPROTECTED in text for text in said):
        reason, _, advice = UNPROTECTED.partition("; ")
        return [CheckResult("warning", "authentication", reason, advice)]
    return [CheckResult("ok", "authentication", "the cluster requires a token, and accepts ours"), *check_token_file()]


def check_token_file() -> list[CheckResult]:
    """Check that others cannot read the user's token: anyone who has it can run anything on the cluster."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return []
    path = token_file()
    try:
        mode = path.stat().st_mode & 0o777
    except OSError:
        return []
    if mode & _OTHERS:
        return [CheckResult("warning", "token", f"{path} has mode {mode:04o}: others can read it", f"chmod 600 {path}")]
    return [CheckResult("ok", "token", f"{path} can be read by its owner only")]
