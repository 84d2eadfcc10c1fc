"""`python -m workers JOB.json --artifacts DIR`: run one job with neither Ray nor SQL, for a batch scheduler or a debugger."""

import argparse
import json
import sys
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from workers.artifacts.artifacts import Artifacts
from workers.artifacts.outcomes import BatchRecord, EpochRecord, FlagsOutcome
from workers.artifacts.storage import absolute
from workers.code import CodeVersion, require_code
from workers.data.loading.remote import data_root
from workers.errors import ArtifactError, JobError, SupersededError, UserError
from workers.files import read_regular
from workers.plugins import job_from_json, require_planned
from workers.progress import throttled
from workers.spec.job import Job
from workers.visible_text import show_control_characters

_LINE_SECONDS = 5.0


def main() -> int:
    """Run the job and return the exit code: 0 done, 1 the job failed, 2 it could not be started as requested."""
    show_control_characters()
    arguments = _parser().parse_args()
    try:
        job = _read(arguments.job)
        _run(job, arguments)
    except (UserError, ArtifactError, SupersededError) as error:
        sys.stderr.write(f"workers: {error}\n")
        return 2
    except JobError as error:
        sys.stderr.write(f"workers: job {job.key} failed: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers", description=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument(
        "job", type=Path, metavar="JOB.json", help="a job file, as `robustsweep plan --write-jobs` writes it, or an artifact's job.json"
    )
    parser.add_argument(
        "--artifacts", required=True, metavar="DIR", help="folder or URL of the parents' artifacts, where the job's own is written"
    )
    parser.add_argument("--data", type=data_root, metavar="DIR", help="data root (holds cifar-10-batches-py/), a folder or a URL")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="default: cpu")
    parser.add_argument("--threads", type=_threads, default=1, help="CPU threads; other numbers give other last bits (default: 1)")
    parser.add_argument(
        "--processes", type=_threads, default=1, help="processes that share a training, on a GPU each: equal up to rounding (default: 1)"
    )
    parser.add_argument(
        "--save-seconds",
        type=_seconds,
        default=5.0,
        metavar="SECONDS",
        help="least time between two saves of an unfinished attack or evaluation, which resumes from the last one (default: 5)",
    )
    return parser


def _threads(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be >= 1")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: must be >= 0")
    return value


def _read(path: Path) -> Job:
    try:
        job = job_from_json(_checked(path, read_regular(path)), edited=True)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise UserError(f"{path}: not a job: {place}{': ' if place else ''}{problem['msg']}") from error
    require_planned(job)
    return job


def _checked(path: Path, text: bytes) -> bytes:
    """The text of a job file without the code that the job was planned with, which an artifact's does not hold.

    Raises:
        UserError: this is not that code, or the text names none.
    """
    with suppress(ValueError, RecursionError):  # what is no job is found out when it is read
        found = json.loads(text)
        if isinstance(found, dict) and (planned := found.pop("code", None)):
            if not isinstance(planned, list) or len(planned) != len(CodeVersion._fields):
                raise UserError(f"{path}: not a job: code: must be a list of {' and '.join(CodeVersion._fields)}")
            require_code(CodeVersion(*map(str, planned)))
            return json.dumps(found).encode()
    return text


def _run(job: Job, arguments: argparse.Namespace) -> None:
    from workers.runtime.run import RunSettings, run

    artifacts = Artifacts(absolute(arguments.artifacts))
    _require_parents_planned(job, artifacts)
    settings = RunSettings(
        artifacts.url,
        arguments.data,
        device=arguments.device,
        threads=arguments.threads,
        processes=arguments.processes,
        save_seconds=arguments.save_seconds,
    )
    result = run(job, settings, report=throttled(_print, seconds=_LINE_SECONDS))
    if isinstance(result.outcome, FlagsOutcome):
        sys.stdout.write(f"{result.outcome.n_correct} of {_evaluated(result.outcome)} right\n")
    sys.stdout.write(f"job {job.key} ({job.stage}): done in {result.seconds:.1f} s, see {artifacts.where(job.key)}\n")


def _require_parents_planned(job: Job, artifacts: Artifacts) -> None:
    """Check that the models that a job measures are made here by the code that they were trained with.

    Raises:
        UserError: they are not.
        ArtifactError: a parent's artifact is missing or damaged.
    """
    for key in job.parents.values() if job.plugins else ():
        require_planned(artifacts.job(key))


def _print(record: EpochRecord | BatchRecord) -> None:
    if isinstance(record, EpochRecord):
        line = f"epoch {record.epoch}: loss {record.loss:.4f}, training accuracy {record.accuracy:.1%}"
    else:
        line = f"{record.done} of {record.total} examples"
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _evaluated(outcome: FlagsOutcome) -> str:
    if outcome.draws == 1:
        return f"{outcome.n_examples} examples"
    return f"{outcome.draws * outcome.n_examples} evaluations ({outcome.n_examples} examples, {outcome.draws} draws)"


if __name__ == "__main__":
    sys.exit(main())
