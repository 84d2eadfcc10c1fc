"""Intervals, standard errors, differences and worst cases: pure functions."""
