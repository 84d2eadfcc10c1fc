"""Defences that a network can have next to its sketch: one file each. Sketch and defence draw from one generator."""
