"""Data sets: one file each, NumPy arrays out. What they are read with is in `loading`. Imports no torch."""
