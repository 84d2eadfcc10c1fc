"""Files of a job: their storage, and the format of results."""
