"""`robustsweep dashboard`: a Streamlit server of our own as a child process, for this machine alone."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from orchestrator.paths import Paths
from orchestrator.store import open_store
from workers.errors import UserError
from workers.plugins import VARIABLE, loaded

ADDRESS = "127.0.0.1"
# The server ends with its standard input, which is this process's end of a pipe: this process may be killed.
_SERVER = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from streamlit.web.cli import main
main()
"""
_SECONDS = 10.0
_OPTIONS = (
    ("server.address", ADDRESS),
    ("server.allowedHosts", ADDRESS),  # a page elsewhere cannot reach it by a name that it makes up
    ("server.allowedHosts", "localhost"),
    ("server.headless", "true"),
    ("server.fileWatcherType", "none"),
    ("browser.gatherUsageStats", "false"),
    ("client.toolbarMode", "minimal"),
    ("client.disableDataExport", "true"),  # our own download escapes what a spreadsheet would take for a formula
    ("logger.hideWelcomeMessage", "true"),
    ("theme.light.primaryColor", "#0078b8"),  # the usual red would look like failure
    ("theme.dark.primaryColor", "#0078b8"),
)


def serve(paths: Paths, *, port: int, say: Callable[[str], None]) -> int:
    """Serve until Ctrl-C, and return the exit code.

    Raises:
        UserError: the store is missing, or the port is taken.
    """
    open_store(paths.store_url, upgrade=False).close()
    _require_free(port)
    stopping = [number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _stop) for number in stopping}
    process = subprocess.Popen(_command(port), env=_environment(paths), stdin=subprocess.PIPE)  # noqa: S603 (this Python, our own application)
    try:
        say(f"dashboard: http://{ADDRESS}:{port} (Ctrl-C ends it)")
        return 0 if process.wait() == 0 else 1
    except _Stopped as stopped:
        return 128 + stopped.number
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _end(process)


def _command(port: int) -> list[str]:
    app = Path(__file__).with_name("streamlit_app.py")
    options = [f"--{name}={value}" for name, value in _OPTIONS]
    return [sys.executable, "-P", "-c", _SERVER, "run", str(app), f"--server.port={port}", *options]


def _environment(paths: Paths) -> dict[str, str]:
    """Return the child's environment: the store's URL may hold a password, and every user of the machine can read a command line."""
    found = {"ROBUSTSWEEP_HOME": str(paths.home), "ROBUSTSWEEP_STORE": paths.store_url, "ROBUSTSWEEP_ARTIFACTS": paths.artifacts_url}
    if paths.data_root is not None:
        found["ROBUSTSWEEP_DATA"] = str(paths.data_root)
    plugins = os.pathsep.join(str(plugin.path) for plugin in loaded())
    return {**os.environ, **found, VARIABLE: plugins}


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            raise UserError(f"--port {port}: {error.strerror}; choose another") from None


class _Stopped(BaseException):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise _Stopped(number)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
