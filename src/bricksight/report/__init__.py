"""Figures to one HTML page that opens from disk, without a network and without further files."""

from bricksight.report._content import ReportContent, TrainingHistory
from bricksight.report._page import write_report

__all__ = ["ReportContent", "TrainingHistory", "write_report"]
