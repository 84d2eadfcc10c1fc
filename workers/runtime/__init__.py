"""Execution of one job on a worker: stages, memory, seeds, environment."""
