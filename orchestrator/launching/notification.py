"""Notification: a command of the user's that is run when a sweep ends."""

import os
import subprocess
from collections.abc import Callable

_MOST_SECONDS = 60.0


def notify(command: str, *, sweep: str, code: int, summary: str, say: Callable[[str], None]) -> None:
    """Run a shell command that is told how a launch ended; what it does wrong is one line and changes nothing.

    Its environment has `ROBUSTSWEEP_SWEEP`, `ROBUSTSWEEP_EXIT_CODE` and `ROBUSTSWEEP_SUMMARY`; it is given a minute.
    """
    told = {"ROBUSTSWEEP_SWEEP": sweep, "ROBUSTSWEEP_EXIT_CODE": str(code), "ROBUSTSWEEP_SUMMARY": summary}
    try:
        done = subprocess.run(  # noqa: S602 (the user's own command, from the user's own command line)
            command, shell=True, env={**os.environ, **told}, stdin=subprocess.DEVNULL, timeout=_MOST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        say(f"--notify {command}: stopped after {_MOST_SECONDS:g} s")
        return
    if done.returncode:
        say(f"--notify {command}: ended with exit code {done.returncode}")
