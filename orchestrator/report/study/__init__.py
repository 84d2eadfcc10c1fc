"""Reports of a search: its trials, the best of them, and its history."""

from orchestrator.report.study.choose_best import BestOptions, choose_best
from orchestrator.report.study.write_study import StudyOptions, study_page

__all__ = ["BestOptions", "StudyOptions", "choose_best", "study_page"]
