"""Searches: Optuna's study in the results store, asked for trials whose jobs are ordinary ones and told what they came to.

Import from the modules: `opening` needs Optuna, `foresight` does not.
"""
