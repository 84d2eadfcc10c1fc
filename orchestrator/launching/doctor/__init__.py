"""Checks of whether a sweep would run: everything that can be found out before, on this machine and on every node of a cluster.

`run_checks` is the entry point. Nothing is imported here: nodes of a cluster import `node`, and need no database for it.
"""
