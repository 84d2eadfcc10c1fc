"""Headless Chromium for the export of figures, controlled through a pipe, so that nothing listens on a port.

The pipe carries the Chrome DevTools Protocol, messages ended by a zero byte, on the descriptors of `--remote-debugging-pipe`.
"""

import fcntl
import json
import os
import select
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

from workers.errors import UserError

VARIABLE = "ROBUSTSWEEP_BROWSER"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
_READS, _WRITES = 3, 4  # the descriptors that Chromium reads from and writes to
_BEYOND = 10
_SECONDS = 60.0
_PATIENCE = 5.0
_CHUNK = 1 << 20
_OPTIONS = (
    "--headless",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-default-browser-check",
    "--no-first-run",
)


def find_browser() -> str:
    """Return the path of a Chromium: the one that `ROBUSTSWEEP_BROWSER` names, else the first that is found.

    Raises:
        UserError: there is none.
    """
    named = os.environ.get(VARIABLE)
    found = next((path for name in ([named] if named else _NAMES) if (path := shutil.which(name))), None)
    if found is None:
        reason = f"{VARIABLE}={named} is no program" if named else f"none of {', '.join(_NAMES)} is installed; {VARIABLE} may name one"
        raise UserError(f"images need Chromium or Chrome: {reason}")
    return found


class Browser:
    """Browser with one page. A context manager; `events` holds the page's events so far."""

    def __init__(self, program: str, *, seconds: float = _SECONDS) -> None:
        self.events: list[dict[str, Any]] = []
        self._seconds = seconds
        self._number = 0
        self._buffer = b""
        self._session: str | None = None
        self._folder = TemporaryDirectory(prefix="robustsweep-browser-", ignore_cleanup_errors=True)
        self._process, self._to, self._from = _start(program, self._folder.name)

    def __enter__(self) -> Self:
        try:
            target = self.send("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.send(f"{domain}.enable")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        with suppress(UserError):
            _write(self._to, json.dumps({"id": 0, "method": "Browser.close"}).encode() + b"\0")
        os.close(self._to)
        os.close(self._from)
        _end(self._process)
        self._folder.cleanup()

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result.

        Raises:
            UserError: the browser ended, did not answer in time, or refused.
        """
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        _write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._number:
            self.events.append(answer)
        if "error" in answer:
            raise UserError(f"browser: {method}: {answer['error'].get('message')}")
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, path: Path) -> None:
        """Load a file and wait until its load event, after which its scripts have run."""
        before = len(self.events)
        self.send("Page.navigate", url=path.absolute().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events[before:]):
            self.events.append(self._receive())

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page; a promise is awaited.

        Raises:
            UserError: the expression threw an exception.
        """
        answer = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            thrown = answer["exceptionDetails"]
            raise UserError(f"browser: {thrown.get('exception', {}).get('description') or thrown.get('text')}")
        return answer["result"].get("value")

    def _receive(self) -> dict[str, Any]:
        end = monotonic() + self._seconds
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(0.0, end - monotonic()))
            chunk = os.read(self._from, _CHUNK) if ready else b""
            if not chunk:
                raise UserError(f"browser: it ended or did not answer within {self._seconds:g} s")
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        received: dict[str, Any] = json.loads(message)
        return received


def _start(program: str, profile: str) -> tuple[int, int, int]:
    """Start the browser; return the process's id, the descriptor to write to and the one to read from."""
    their_input, our_output = _pipe()
    our_input, their_output = _pipe()
    command = [program, *_OPTIONS, *_sandbox(), f"--user-data-dir={profile}", "about:blank"]
    # Not `subprocess`: it cannot renumber descriptors, and a process with threads must run no Python between fork and exec.
    silent = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    piped = [(os.POSIX_SPAWN_DUP2, their_input, _READS), (os.POSIX_SPAWN_DUP2, their_output, _WRITES)]
    try:
        process = os.posix_spawn(program, command, os.environ, file_actions=[*silent, *piped])
    except OSError as error:
        raise UserError(f"browser {program}: {error.strerror}") from None
    finally:
        os.close(their_input)
        os.close(their_output)
    return process, our_output, our_input


def _pipe() -> tuple[int, int]:
    """Return the read and the write end of a pipe, numbered above those that the browser gets."""
    ends = os.pipe()
    try:
        reads, writes = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _BEYOND) for end in ends)
    finally:
        for end in ends:
            os.close(end)
    return reads, writes


def _end(process: int) -> None:
    """Wait a few seconds for the process, which was asked to end; then kill it."""
    deadline = monotonic() + _PATIENCE
    while os.waitpid(process, os.WNOHANG) == (0, 0):
        if monotonic() > deadline:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return
        sleep(0.02)


def _sandbox() -> Sequence[str]:
    """Return the option for root, as whom Chromium does not run with its sandbox; the only pages it opens here are our own."""
    return ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()


def _write(descriptor: int, message: bytes) -> None:
    try:
        while message:
            message = message[os.write(descriptor, message) :]
    except BrokenPipeError:
        raise UserError("browser: it ended") from None
