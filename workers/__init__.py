"""Computation of one job: tensors only, neither Ray nor SQL. `workers.runtime.run` computes it; importing `workers` imports no torch."""

from workers.artifacts.results import Result
from workers.errors import ArtifactError, DataError, JobError, UserError
from workers.spec.job import Job
from workers.spec.keys import KEY_VERSION

__all__ = ["KEY_VERSION", "ArtifactError", "DataError", "Job", "JobError", "Result", "UserError"]
