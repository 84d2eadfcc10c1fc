"""Metrics of attacked examples: one file each."""
