"""Computation of one job: tensors only, neither Ray nor SQL. `workers.run.run` computes a job; importing `workers` imports no torch."""

from workers.errors import ArtifactError, DataError, JobError, UserError
from workers.keys import KEY_VERSION
from workers.results import Result
from workers.specs import Job

__all__ = ["KEY_VERSION", "ArtifactError", "DataError", "Job", "JobError", "Result", "UserError"]
