"""Execution on Ray: everything that knows Ray."""
