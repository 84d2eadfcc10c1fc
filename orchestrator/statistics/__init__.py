"""Intervals, standard errors, differences and worst cases; `verdict` has the verdicts on models. Pure functions."""
