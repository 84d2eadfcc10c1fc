"""Mirrors: copies of a sweep's trainings and results in TensorBoard, MLflow and W&B. None of them is ever read, or waited for."""

from orchestrator.driver.mirrors.mirror import Mirror
from orchestrator.driver.mirrors.sweep_mirrors import SweepMirrors
from orchestrator.driver.mirrors.targets import Target, parse_target

__all__ = ["Mirror", "SweepMirrors", "Target", "parse_target"]
