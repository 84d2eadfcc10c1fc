"""Searches: an Optuna study in the results store, with the ask-and-tell interface. A trial's jobs are ordinary jobs.

Import from the modules: `open_search` needs Optuna, `possible_jobs` and `preview_search` do not.
"""
