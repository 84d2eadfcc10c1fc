"""Searches: an Optuna study in the results store, with the ask-and-tell interface. A trial's jobs are ordinary jobs.

Import from the modules: `opening` needs Optuna, `foresight` does not.
"""
