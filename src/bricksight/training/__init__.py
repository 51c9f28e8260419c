"""From a folder of photos to a bundle; how good a recipe is on photos that it has not seen."""

from bricksight._support.progress import Reporter, SilentReporter
from bricksight.training.cross_validation import (
    CrossValidationResult,
    CurvePoint,
    cross_validate,
)
from bricksight.training.results.artifacts import TrainingReport
from bricksight.training.results.label_issues import LabelIssue
from bricksight.training.train import TrainingResult, train

__all__ = [
    "CrossValidationResult",
    "CurvePoint",
    "LabelIssue",
    "Reporter",
    "SilentReporter",
    "TrainingReport",
    "TrainingResult",
    "cross_validate",
    "train",
]
