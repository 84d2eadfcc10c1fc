"""Worker process: runs the jobs that come through a connection until the driver closes it, or dies."""

import os
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection

from orchestrator.executors.attempt import AttemptFailedError, attempt_jobs

BEGUN, ENDED = "begun", "ended"


def main(descriptor: int) -> None:
    """Run batches from the connection with this file descriptor; standard input ends with the driver."""
    threading.Thread(target=_end_with_driver, name="end-with-driver", daemon=True).start()
    connection = Connection(descriptor)
    import workers.runtime.run  # noqa: F401 (PyTorch takes a second or two: a job begins after it)

    with suppress(EOFError, OSError):
        while True:
            name, config, plugins = connection.recv()
            connection.send({BEGUN: name})
            try:
                attempt_jobs(config, plugins, name=name, send=connection.send)
            except AttemptFailedError:
                sys.exit(1)
            connection.send({ENDED: name})


def _end_with_driver() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)
