"""Planning: expansion of a space to jobs, and comparison of the jobs with existing results."""
