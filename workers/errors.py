"""Errors whose one-line message is meant for the person at the terminal."""


class UserError(Exception):
    """Something the user asked for cannot be done as asked; the message names the value and the legal ones (exit code 2)."""


class DataError(UserError):
    """A data set's files are missing, incomplete or corrupt."""


class ArtifactError(Exception):
    """A job's artifact is missing or damaged: the job has to be run (again). `key` is that job's, where it is known."""

    def __init__(self, message: str, *, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class StorageError(ArtifactError, UserError):
    """The place of the artifacts cannot be read or written (a full disk, no permission, no network); what is there may be whole."""


class SupersededError(Exception):
    """The job was given to another attempt meanwhile: this one must leave its files alone, and nobody needs what it was computing."""


class JobError(Exception):
    """A job ran and cannot give a trustworthy result (a NaN loss, a point outside the epsilon ball)."""


class ShortOfMemoryError(JobError):
    """A job needs more memory than it was given; nothing is wrong with it otherwise."""


class NonFiniteError(JobError):
    """What an attack goes by, or where it ends, is not finite."""


def damaged(error: Exception) -> str | None:
    """The key of the job whose files are missing or damaged, if it is that what went wrong."""
    return error.key if isinstance(error, ArtifactError) and not isinstance(error, StorageError) else None


def describe(error: Exception) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
