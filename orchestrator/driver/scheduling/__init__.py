"""Scheduling: the choice of the next job, and the estimate of the remaining time."""
