"""Adversarial examples to look at and to listen to: as arrays, as pictures next to the clean ones, and as a page. Imports no torch."""
