"""Errors with a one-line message for the user."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """A user's request cannot be met; the message names the value and the legal ones. `exit_code` is that of the command."""

    exit_code = 2


class DataError(UserError):
    """A data set's files are missing, incomplete or corrupt."""


class PluginNeededError(UserError):
    """A component is needed that a plugin registers, which is not loaded here."""


class ArtifactError(Exception):
    """A job's artifact is missing or damaged: the job has to be run (again). `key` is that job's, where it is known."""

    def __init__(self, message: str, *, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class StorageError(ArtifactError, UserError):
    """The place of the artifacts cannot be read or written (a full disk, no permission, no network); its files may be intact."""


class SupersededError(Exception):
    """The job was assigned to another attempt meanwhile: this one must not touch its files, and its result is not needed."""


class JobError(Exception):
    """A job ran and cannot give a trustworthy result (a NaN loss, a point outside the epsilon ball)."""


class ShortOfMemoryError(JobError):
    """A job needs more memory than it was given; it is valid otherwise."""


class NonFiniteError(JobError):
    """A gradient, logits or a point of an attack are not finite."""


def did_you_mean(word: str, legal: Iterable[str]) -> str:
    """Return the end of a message on a mistyped word: the legal one that is most like it; empty where none is."""
    close = get_close_matches(word[:100], list(legal), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def damaged(error: Exception) -> str | None:
    """Return the key of the job whose files are missing or damaged, if the error says so."""
    return error.key if isinstance(error, ArtifactError) and not isinstance(error, StorageError) else None


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its kind where it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def os_reason(error: OSError) -> str:
    """Return what the operating system says of a file, in the middle of a line: `no such file or directory`."""
    return (error.strerror or str(error)).lower()


def describe(error: Exception) -> str:
    """Format an error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
