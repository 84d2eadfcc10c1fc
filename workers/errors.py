"""Errors whose one-line message is meant for the person at the terminal."""


class UserError(Exception):
    """Something the user asked for cannot be done as asked; the message names the value and the legal ones (exit code 2)."""


class DataError(UserError):
    """A data set's files are missing, incomplete or corrupt."""


class ArtifactError(Exception):
    """A job's artifact is missing or unreadable: the job has to be run (again)."""


class JobError(Exception):
    """A job ran and cannot give a trustworthy result (a NaN loss, a point outside the epsilon ball)."""


class NonFiniteError(JobError):
    """What an attack goes by, or where it ends, is not finite."""
