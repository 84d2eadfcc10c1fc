"""Attacks: one file each; the engine that runs them is `engine`. Importing a file imports no torch."""
