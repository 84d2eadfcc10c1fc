"""How many examples a job sends through its net together. Imports no torch."""

from workers.specs import DiagnoseSpec, JobSpec, SurfaceSpec, TrainSpec

POINTS_PER_PASS = 256
"""Points of a surface, whatever its resolution."""


def batch_size(spec: JobSpec) -> int:
    """The examples of one batch; an attack's passes may hold several copies of it."""
    match spec:
        case TrainSpec():
            return spec.training.batch_size
        case DiagnoseSpec():
            return spec.diagnosis.batch_size
        case SurfaceSpec():
            return POINTS_PER_PASS
        case _:
            return spec.evaluation.batch_size
