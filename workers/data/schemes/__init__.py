"""Data sets by reference, `scheme:NAME` (see `workers.references`): one file for each scheme."""
