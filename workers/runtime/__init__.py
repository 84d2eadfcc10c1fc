"""How a worker runs one job: stages, memory, seeds, environment."""
