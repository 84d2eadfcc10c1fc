"""Attacks of libraries by reference, one module a library. Importing them imports no torch."""
