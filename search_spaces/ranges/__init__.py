"""Ranges of a search: how they are written, collected, checked and filled in."""
