"""Searches: Optuna's study in the results store, asked for trials whose jobs are ordinary ones and told what they came to."""

from orchestrator.search.foresight import foresee
from orchestrator.search.opening import opened_search
from orchestrator.search.search import Search

__all__ = ["Search", "foresee", "opened_search"]
