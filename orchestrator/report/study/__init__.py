"""What a search came to: its trials, the best of them, and how it went."""

from orchestrator.report.study.best import BestOptions, best_of
from orchestrator.report.study.write_study import StudyOptions, study_page

__all__ = ["BestOptions", "StudyOptions", "best_of", "study_page"]
