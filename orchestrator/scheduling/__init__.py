"""Which job is next, and how long the rest will take."""
