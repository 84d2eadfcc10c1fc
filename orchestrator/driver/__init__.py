"""A sweep while it runs: its state, what is recorded of it, its progress, the sweeps that run at once."""
