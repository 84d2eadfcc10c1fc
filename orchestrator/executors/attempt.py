"""Work of a worker process, under Ray or in a process of our own: jobs one after the other, each reported in a message."""

import time
import traceback
from collections.abc import Callable
from typing import Any

from workers.artifacts.outcomes import BatchRecord, EpochRecord
from workers.code import CodeVersion, require_code
from workers.errors import ShortOfMemoryError, SupersededError, damaged, describe
from workers.plugins import Archives, job_from_json, receive
from workers.progress import throttled

_REPORT_SECONDS = 0.5
_TOGETHER_SECONDS = 0.2
Message = dict[str, Any]


class AttemptFailedError(Exception):
    """Failure of a job whose error was reported before."""


class Messages:
    """Messages to the driver; those that say that a job is done go together if they follow each other closely."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send, self._done, self._sent_at = send, list[Message](), time.monotonic()

    def done(self, message: Message) -> None:
        self._done.append(message)
        if time.monotonic() - self._sent_at >= _TOGETHER_SECONDS:
            self.flush()

    def send(self, message: Message) -> None:
        """Send a message about the job under way, after those about the jobs before it."""
        self.flush()
        self._send(message)

    def flush(self) -> None:
        if self._done:
            self._send({"done_jobs": tuple(self._done)})
            self._done, self._sent_at = [], time.monotonic()


def attempt_jobs(config: dict[str, Any], plugins: Archives, *, name: str, send: Callable[[Message], None]) -> None:
    """Run the jobs in `config` with the driver's plugins, as the attempt `name`.

    Sends each training epoch and, throttled, batches, then `{"done_jobs": ...}`, or the error and its traceback, or that another attempt
    has superseded this one at a job.

    Raises:
        AttemptFailedError: a job failed; the process should end, since its state (such as a CUDA context) may be corrupt.
    """
    from workers.data.loading.remote import data_root
    from workers.runtime.run import RunSettings, run

    settings = RunSettings(
        artifacts=config["artifacts"],
        data_root=data_root(config["data_root"]),
        device=config["device"],
        threads=config["threads"],
        gpu_share=config["gpus"] or 1.0,
        examples_per_pass=config["examples_per_pass"],
        processes=config["processes"],
        most_memory=config["memory"],
    )
    messages = Messages(send)
    report = throttled(lambda record: messages.send(record_message(record)), seconds=_REPORT_SECONDS)
    try:
        require_code(CodeVersion(*config["code"]))
        receive(plugins)
        for text in config["jobs"]:
            job = job_from_json(text)
            try:
                result = run(job, settings, attempt=name, report=report)
            except SupersededError as error:
                messages.send({"superseded": describe(error)})
            else:
                messages.done({"key": job.key, "peak_memory": result.peak_memory, "seconds": result.seconds})
    except Exception as error:
        short = isinstance(error, ShortOfMemoryError)
        messages.send({"error": describe(error), "traceback": traceback.format_exc(), "damaged": damaged(error), "short_of_memory": short})
        raise AttemptFailedError from error
    messages.flush()


def record_message(record: EpochRecord | BatchRecord) -> Message:
    """Return an epoch as `{"epoch": {...}}`, a batch as `{"batch": {"done": ...}}`: to Tune, a top-level `done` is the trial's end."""
    return {"epoch" if isinstance(record, EpochRecord) else "batch": record.model_dump()}
