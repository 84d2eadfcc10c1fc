"""Data sets by reference, `scheme:NAME` (see `workers.components.references`): one file for each scheme."""
