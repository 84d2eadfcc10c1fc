"""Housekeeping of a database: check, export, import, prune."""
