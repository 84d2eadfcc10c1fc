"""Measurements of a trained network: evaluation, attacks, diagnoses, loss surfaces."""
