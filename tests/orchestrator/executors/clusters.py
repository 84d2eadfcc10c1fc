"""Real Ray heads on this machine's loopback, each with a temporary folder of its own, and small stand-ins for them."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.commands import environment

TOKEN = "0123456789abcdef" * 4
_START_SECONDS = 200.0
_START = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--node-ip-address=127.0.0.1"]


@dataclass(frozen=True)
class Head:
    """A running head: where it listens, and the environment of a user on its node who has its token (if it asks for one)."""

    address: str
    dashboard: str
    env: dict[str, str]

    @property
    def stranger(self) -> dict[str, str]:
        """The environment of a user without a token."""
        return {name: value for name, value in self.env.items() if not name.startswith("RAY_AUTH")}


@contextmanager
def ray_head(*options: str, token: str | None = TOKEN, port: int = 0, env: dict[str, str] | None = None) -> Iterator[Head]:
    """Inside, a head runs, with these options of `ray start`; it ends with its `ray start --block`."""
    # Not pytest's: its paths are too long for Ray's sockets.
    with tempfile.TemporaryDirectory(prefix="head-", ignore_cleanup_errors=True) as path:
        folder = Path(path)
        node = _environment(folder, token)
        ports = {
            "port": port or free_port(),
            "dashboard-port": free_port(),
            "ray-client-server-port": free_port(),
            "dashboard-agent-listen-port": 0,
        }
        command = [*_START, f"--temp-dir={folder}", *(f"--{name}={number}" for name, number in ports.items()), *options]
        with (folder / "head.log").open("wb") as log:
            process = subprocess.Popen(command, env=environment(node | (env or {})), stdout=log, stderr=log)
        try:
            _await_start(process, folder / "head.log", ports["dashboard-port"])
            yield Head(f"127.0.0.1:{ports['port']}", f"http://127.0.0.1:{ports['dashboard-port']}", node)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def _environment(folder: Path, token: str | None) -> dict[str, str]:
    """A node's environment: loopback alone, no token but this one, and the program where a shell finds it."""
    node = dict.fromkeys(("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_USAGE_STATS_ENABLED"), "0")
    node["RAY_gcs_server_port_wait_time_s"] = "120"  # a busy machine is no failure
    node |= {"HOME": str(folder), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    if token is None:
        return node | {"RAY_AUTH_MODE": "disabled"}
    (folder / "token").write_text(token)
    return node | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(folder / "token")}


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def _await_start(process: "subprocess.Popen[bytes]", log: Path, dashboard: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while b"will now block forever" not in log.read_bytes() or not _answers(dashboard):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def _answers(port: int) -> bool:
    with socket.socket() as knocking:
        return knocking.connect_ex(("127.0.0.1", port)) == 0
