"""Reads of the store, which return frozen values."""
