"""Trainable that Ray Tune runs in a worker process: one attempt at one job. The process is reused with its caches."""

import traceback
from typing import Any

from workers.artifacts.results import BatchRecord, EpochRecord
from workers.code import CodeVersion, require_code
from workers.errors import ShortOfMemoryError, SupersededError, damaged, describe
from workers.plugins import Archives, job_from_json, receive
from workers.progress import throttled

_REPORT_SECONDS = 0.5


class AttemptFailedError(Exception):
    """Failure of a job whose error was reported before."""


def run_job_trainable(config: dict[str, Any], plugins: Archives | None = None) -> None:
    """Run the job in `config` with the driver's plugins.

    Reports each training epoch and, throttled, batches, then `{"done_key": ...}`, or the error and its
    traceback, or that another attempt has superseded this one.

    Raises:
        AttemptFailedError: the job failed; Ray then discards the process, whose state (such as a CUDA context) may be corrupt.
    """
    from ray import tune

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
    )
    try:
        require_code(CodeVersion(*config["code"]))
        receive(plugins or {})
        job = job_from_json(config["job"])
        result = run(job, settings, attempt=tune.get_context().get_trial_id(), report=throttled(_report, seconds=_REPORT_SECONDS))
    except SupersededError as error:
        tune.report({"superseded": describe(error)})
        return
    except Exception as error:
        short = isinstance(error, ShortOfMemoryError)
        tune.report({"error": describe(error), "traceback": traceback.format_exc(), "damaged": damaged(error), "short_of_memory": short})
        raise AttemptFailedError from error
    tune.report({"done_key": job.key, "peak_memory": result.peak_memory})


def _report(record: EpochRecord | BatchRecord) -> None:
    """Report an epoch as `{"epoch": {...}}`, a batch as `{"batch": {"done": ...}}`: to Tune, a top-level `done` is the trial's end."""
    from ray import tune

    tune.report({"epoch" if isinstance(record, EpochRecord) else "batch": record.model_dump()})
