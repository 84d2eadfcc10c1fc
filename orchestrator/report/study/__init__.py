"""Reports of a search: its trials, the best of them, and its history."""

from orchestrator.report.study.best import BestOptions, best_of
from orchestrator.report.study.write_study import StudyOptions, study_page

__all__ = ["BestOptions", "StudyOptions", "best_of", "study_page"]
