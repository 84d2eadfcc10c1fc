"""Driver of a running sweep: its state, its records in the database, its progress, and concurrent sweeps."""
