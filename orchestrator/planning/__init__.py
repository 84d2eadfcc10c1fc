"""From a space to jobs, and from jobs to a plan."""
