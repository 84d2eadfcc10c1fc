"""Leases: one driver for a sweep, one attempt for a job."""
