"""HTML report of a training run: one self-contained page that needs no network."""

from bricksight.report._content import ReportContent, TrainingHistory
from bricksight.report._page import write_report

__all__ = ["ReportContent", "TrainingHistory", "write_report"]
