"""Factors of a job's memory use: the number of examples per forward pass, and CUDA itself. Imports no torch."""

from workers.spec.job import DiagnoseSpec, JobSpec, SurfaceSpec, TrainSpec

POINTS_PER_PASS = 256
"""Points of a surface per forward pass, independent of its resolution."""

CONTEXT_BYTES = 600 << 20
"""Memory that CUDA itself takes of a GPU for each process, which PyTorch neither counts nor limits."""


def batch_size(spec: JobSpec) -> int:
    """Return the number of examples of one batch; an attack's passes may hold several copies of it."""
    match spec:
        case TrainSpec():
            return spec.training.batch_size
        case DiagnoseSpec():
            return spec.diagnosis.batch_size
        case SurfaceSpec():
            return POINTS_PER_PASS
        case _:
            return spec.evaluation.batch_size
