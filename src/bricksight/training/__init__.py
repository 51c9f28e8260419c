"""The road from a folder of photos to a bundle."""

from bricksight._support.progress import Reporter, SilentReporter
from bricksight.training.cross_validation import CrossvalResult, CurvePoint, crossval
from bricksight.training.results.artifacts import Findings
from bricksight.training.results.label_issues import Suspect
from bricksight.training.train import RetrainResult, retrain

__all__ = [
    "CrossvalResult",
    "CurvePoint",
    "Findings",
    "Reporter",
    "RetrainResult",
    "SilentReporter",
    "Suspect",
    "crossval",
    "retrain",
]
