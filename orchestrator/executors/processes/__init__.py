"""Executor on processes of this machine, without Ray."""
