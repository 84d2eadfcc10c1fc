"""Mirrors: copies of a sweep's trainings and results in TensorBoard, MLflow and W&B. None of them is ever read, or waited for."""

from orchestrator.mirrors.mirror import Mirror
from orchestrator.mirrors.sweep_mirrors import SweepMirrors
from orchestrator.mirrors.targets import Target, parse_target

__all__ = ["Mirror", "SweepMirrors", "Target", "parse_target"]
