"""Files of a job, and what they say."""
