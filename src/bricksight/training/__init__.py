"""End-to-end training workflow and cross-validation."""

# ruff: noqa: E402
from bricksight._support.optional import require_installed

# Comes before the imports below, which need packages of the same extra.
require_installed("tensorflow", extra="train", feature="Training")

from bricksight._support.progress import ProgressEvent, Reporter
from bricksight.training.cross_validation import cross_validate
from bricksight.training.results.artifacts import TrainingReport
from bricksight.training.results.cross_validation_result import CrossValidationResult, CurvePoint
from bricksight.training.results.label_issues import LabelIssue
from bricksight.training.results.training_result import TrainingResult
from bricksight.training.train import train

__all__ = [
    "CrossValidationResult",
    "CurvePoint",
    "LabelIssue",
    "ProgressEvent",
    "Reporter",
    "TrainingReport",
    "TrainingResult",
    "cross_validate",
    "train",
]
