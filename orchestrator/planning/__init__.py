"""Planning: expansion of a space to jobs, and comparison of the jobs with existing results."""

MAX_JOBS = 200_000
"""Default limit to the jobs of a space: a plan of so many takes 15 seconds and 0.6 GB, and larger ones are more often a slip than meant."""
